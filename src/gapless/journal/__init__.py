"""The journal's files: their directory, their lock, recovery, looking after them while a store runs."""
