POLICIES: dict[str, int]
