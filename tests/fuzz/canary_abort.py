"""Must fail: shows that a process that dies is noticed, as an INVARIANT or a sanitizer ends it."""

from __future__ import annotations

import os
from random import Random


def run_case(random: Random) -> None:
    if random.randrange(1000) == 0:
        os.abort()
