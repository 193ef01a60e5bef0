"""Trees against sorted lists, on pages of 256 bytes, where splits, merges and new roots happen all the time.

Every history is random; its seed is in the test's name. Every history ends with the self-check, which walks everything.
"""

from __future__ import annotations

import bisect
import os
import random
from dataclasses import dataclass, field

import pytest

from gapless.engine.tree_core import TreeCore, layout
from gapless.errors import OutOfMemoryError

# Order in tree.pxd.
POSITION, MEMBER, FIELD, SCORED, SCORE, BYTES = range(6)
HISTORIES = int(os.environ.get("GAPLESS_HISTORIES", "6"))
STEPS = 6000
ELEMENT_MAX = 50  # of pages of 256 bytes
ALL_BITS = (1 << 64) - 1


def field_element(name: bytes, value: bytes, expiry: bytes = b"") -> bytes:
    head = len(name) * 2 + bool(expiry)
    low = [head] if head < 128 else [head & 127 | 128, head >> 7]
    return bytes(low) + expiry + name + value


def key_of(order: int, element: bytes) -> bytes:
    if order == FIELD:
        head, start = element[0], 1
        if head >= 128:
            head, start = head & 127 | element[1] << 7, 2
        start += 6 if head & 1 else 0
        return element[start : start + head // 2]
    return element[:-8] if order == SCORED else element


@dataclass
class Model:
    random: random.Random
    core: TreeCore
    order: int
    sizes: str
    elements: list[bytes] = field(default_factory=list)
    sort_keys: list[tuple[int, bytes]] = field(default_factory=list)
    refused: int = 0

    def sort_key(self, element: bytes) -> tuple[int, bytes]:
        if self.order in (MEMBER, FIELD, SCORED):
            return self.core.head(element), key_of(self.order, element)
        return 0, element

    def some_bytes(self, most: int) -> bytes:
        roll = self.random.random()
        if self.sizes == "large" and roll < 0.3:
            return self.random.randbytes(self.random.choice([most, most + 1, 300, 5000]))
        if self.sizes == "alike":
            # Separators of what begins alike for longer than a page can hold.
            beginning = self.random.choice([b"", b"p" * 45, b"p" * 300, b"p" * 300, b"q" * 5000])
            return beginning + b"%d" % self.random.randrange(400)
        if self.sizes == "small":
            return self.random.randbytes(self.random.randrange(min(8, most + 1)))
        if roll < 0.02:
            return b""
        if roll < 0.8:
            return b"%d" % self.random.randrange(2000)
        if roll < 0.9:
            return b"shared-beginning-of-keys:" + b"%d" % self.random.randrange(300)
        if roll < 0.95:
            return bytes(self.random.choices(b"\0\xff", k=self.random.randrange(12)))
        return self.random.randbytes(self.random.randrange(most + 1))

    def some_element(self) -> bytes:
        if self.order == FIELD:
            expiry = self.random.choice([b"", b"", self.random.randbytes(6)])
            return field_element(self.some_bytes(20), self.some_bytes(17), expiry)
        if self.order == SCORED:
            return self.some_bytes(42) + self.random.randbytes(8)
        if self.order == SCORE:
            scores = 2 if self.sizes == "alike" else 100
            return (self.random.randrange(scores) << 40).to_bytes(8) + self.some_bytes(42)
        return self.some_bytes(ELEMENT_MAX)

    def some_known(self) -> bytes:
        return self.random.choice(self.elements) if self.elements else self.some_element()

    def put(self) -> None:
        element = self.some_element() if self.random.random() < 0.8 else self.some_known()
        if self.order == FIELD and self.random.random() < 0.5:
            element = field_element(key_of(FIELD, element), self.some_bytes(17))
        if self.order == POSITION:
            self.insert_at(element)
            return
        key = self.sort_key(element)
        at = bisect.bisect_left(self.sort_keys, key)
        known = at < len(self.sort_keys) and self.sort_keys[at] == key
        try:
            assert self.core.put(element) == (not known)
        except OutOfMemoryError:
            self.refused += 1
            return
        if known:
            self.elements[at] = element
        else:
            self.elements.insert(at, element)
            self.sort_keys.insert(at, key)

    def insert_at(self, element: bytes) -> None:
        count = len(self.elements)
        at = self.random.choice([0, count, self.random.randint(0, count), self.random.randint(0, count)])
        try:
            self.core.insert_at(at, element)
        except OutOfMemoryError:
            self.refused += 1
            return
        self.elements.insert(at, element)

    def replace(self) -> None:
        if not self.elements or self.order != POSITION:
            return
        at, element = self.random.randrange(len(self.elements)), self.some_element()
        try:
            self.core.replace_at(at, element)
        except OutOfMemoryError:
            self.refused += 1
            return
        self.elements[at] = element

    def remove(self) -> None:
        if self.random.random() < 0.3 or self.order == POSITION:
            if self.elements:
                count = len(self.elements)
                at = self.random.choice([0, count - 1, self.random.randrange(count)])
                self.core.remove_at(at)
                self.drop(at)
            return
        element = self.some_known() if self.random.random() < 0.8 else self.some_element()
        key = self.sort_key(element)
        at = bisect.bisect_left(self.sort_keys, key)
        known = at < len(self.sort_keys) and self.sort_keys[at] == key
        assert self.core.discard(element) == known
        if known:
            self.drop(at)

    def drop(self, at: int) -> None:
        del self.elements[at]
        if self.order != POSITION:
            del self.sort_keys[at]

    def remove_range(self) -> None:
        """A run of neighbours: whole nodes become empty."""
        if self.elements and self.random.random() < 0.05:
            at = self.random.randrange(len(self.elements))
            for _ in range(min(self.random.randrange(400), len(self.elements) - at)):
                self.core.remove_at(at)
                self.drop(at)

    def look(self) -> None:
        if self.order == POSITION:
            return
        element = self.some_known() if self.random.random() < 0.7 else self.some_element()
        key = self.sort_key(element)
        at = bisect.bisect_left(self.sort_keys, key)
        known = at < len(self.sort_keys) and self.sort_keys[at] == key
        assert self.core.rank(element) == (at, known)
        assert self.core.get(element) == (self.elements[at] if known else None)

    def at(self) -> None:
        rank = self.random.randrange(len(self.elements) + 3)
        assert self.core.at(rank) == (self.elements[rank] if rank < len(self.elements) else None)

    def scan(self) -> None:
        """A scan by hash meets everything that is there all the while, once, whatever else changes meanwhile."""
        if self.order not in (MEMBER, FIELD, SCORED) or self.random.random() > 0.1:
            return
        there = {key_of(self.order, element) for element in self.elements}
        found: list[bytes] = []
        cursor = 0
        while True:
            cursor, part = self.core.scan(cursor, self.random.choice([1, 3, 20]))
            found += [key_of(self.order, element) for element in part]
            if cursor == 0:
                break
            if self.random.random() < 0.2:
                self.put()
                self.remove()
                there &= {key_of(self.order, element) for element in self.elements}
        assert len(found) == len(set(found))
        assert there <= set(found)

    def compare(self) -> None:
        assert self.core.check() is None
        assert self.core.count() == len(self.elements)
        assert self.core.elements() == self.elements
        assert self.core.elements(backwards=True) == self.elements[::-1]

    def copy_and_retire(self) -> None:
        self.core.retire(1)
        assert self.core.count(1) == 0
        try:
            self.core.copy(0, 1)
        except OutOfMemoryError:
            self.refused += 1
            return
        assert self.core.elements(tree=1) == self.elements
        if self.random.random() < 0.2:
            self.core.retire()
            self.elements.clear()
            self.sort_keys.clear()
        self.compare()

    def cut(self) -> None:
        """A tree cut in two: one part goes, or both go on for a while, each a tree of its own."""
        if self.order != POSITION:
            return
        self.core.retire(1)
        count = len(self.elements)
        at = self.random.choice([0, 1, count - 1, count, self.random.randint(0, count)])
        at = min(max(at, 0), count)
        try:
            self.core.cut(at, 0, 1)
        except OutOfMemoryError:
            self.refused += 1
            return
        assert self.core.elements(tree=1) == self.elements[at:]
        assert self.core.elements(backwards=True, tree=1) == self.elements[at:][::-1]
        rest = self.elements[at:]
        del self.elements[at:]
        self.compare()
        if self.random.random() < 0.7:
            # The left part goes instead: through the empty third.
            self.core.retire()
            self.core.cut(0, 1, 0)
            self.elements[:] = rest
        self.compare()

    def reclaim(self) -> None:
        self.core.reclaim(self.random.choice([1, 5, 1000]))
        self.core.trim(self.random.choice([1, 16, 100]), self.random.random() < 0.3)

    def run(self, steps: int) -> None:
        # Phases of growth and of shrinking.
        for phase in range(6):
            put, remove = (50, 15) if phase % 2 == 0 else (15, 50)
            actions = [self.put, self.remove, self.remove_range, self.replace, self.look, self.at, self.scan]
            rare = [self.compare, self.copy_and_retire, self.cut, self.reclaim]
            weights = [put, remove, 3, 5, 15, 10, 1, 0.5, 0.2, 0.2, 4]
            for action in self.random.choices([*actions, *rare], weights, k=steps // 6):
                action()
        self.compare()
        self.core.retire()
        self.core.retire(1)
        while self.core.reclaim(7):
            pass
        assert self.core.check() is None
        assert self.core.counters()["pages_used"] == 0


def history(
    order: int, seed: int, *, sizes: str = "mixed", address_bytes: int = 1 << 24, hash_mask: int = ALL_BITS
) -> Model:
    core = TreeCore(order, address_bytes=address_bytes, seed=seed, hash_mask=hash_mask)
    model = Model(random.Random(seed), core, order, sizes)
    model.run(STEPS)
    return model


@pytest.mark.parametrize("sizes", ["small", "mixed", "large", "alike"])
@pytest.mark.parametrize("order", range(6))
@pytest.mark.parametrize("seed", range(HISTORIES))
def test_history(order: int, seed: int, sizes: str) -> None:
    assert history(order, seed, sizes=sizes).refused == 0


@pytest.mark.parametrize("order", [MEMBER, FIELD, SCORED])
@pytest.mark.parametrize("hash_mask", [0, 3 << 62, 0xFF, 0xFFFF << 40])
@pytest.mark.parametrize("seed", range(100, 100 + HISTORIES // 2))
def test_history_with_equal_hashes(order: int, seed: int, hash_mask: int) -> None:
    assert history(order, seed, hash_mask=hash_mask).refused == 0
    assert history(order, seed, hash_mask=hash_mask, sizes="alike").refused == 0


@pytest.mark.parametrize("order", range(6))
@pytest.mark.parametrize("seed", range(200, 200 + HISTORIES // 2))
def test_history_without_room(order: int, seed: int) -> None:
    """The reserved range fills up: what does not fit is refused, and the tree is what it was."""
    assert history(order, seed, address_bytes=90 * 256).refused > 0


@pytest.mark.parametrize("order", [MEMBER, SCORE, BYTES, POSITION])
def test_fill_under_random_changes(order: int) -> None:
    numbers = random.Random(order)
    core = TreeCore(order, page_bytes=4096, address_bytes=1 << 30)

    def element() -> bytes:
        return (numbers.randrange(1 << 52) if order == SCORE else 0).to_bytes(
            8
        ) + b"%08d" % numbers.randrange(10**8)

    def insert() -> None:
        if order == POSITION:
            core.insert_at(numbers.randint(0, core.count()), element())
        else:
            core.put(element())

    for _ in range(40_000):
        insert()
    assert core.counters()["fill"] >= 0.75
    for _ in range(40_000):
        core.remove_at(numbers.randrange(core.count()))
        insert()
    assert core.counters()["fill"] >= 0.65
    while core.count() > 1000:
        core.remove_at(numbers.randrange(core.count()))
        assert core.count() % 5000 or core.counters()["fill"] >= 0.65
    assert core.check() is None


@pytest.mark.parametrize("page_bytes", [256, 4096])
@pytest.mark.parametrize("downwards", [False, True])
@pytest.mark.parametrize("order", [SCORE, BYTES, POSITION])
def test_fill_after_sorted_loads(order: int, downwards: bool, page_bytes: int) -> None:
    core = TreeCore(order, page_bytes=page_bytes, address_bytes=1 << 28)
    for number in range(20_000, 0, -1) if downwards else range(20_000):
        element = b"%016d" % number
        if order == POSITION:
            core.insert_at(0 if downwards else core.count(), element)
        else:
            core.put(element)
    assert core.check() is None
    assert core.counters()["fill"] >= 0.9
    # A queue: what is emptied at one end is given back.
    for number in range(19_900):
        core.remove_at(0 if number % 2 else core.count() - 1)
    assert core.check() is None
    assert core.counters()["pages_used"] <= 100 * 20 / page_bytes * 2 + 4


def test_elements_of_the_largest_size() -> None:
    numbers = random.Random(5)
    for page_bytes in (256, 1024, 4096):
        core = TreeCore(BYTES, page_bytes=page_bytes, address_bytes=1 << 26)
        most = int(core.counters()["element_bytes_max"])
        elements = sorted({b"s" * (most - 8) + numbers.randbytes(8) for _ in range(1000)})
        for element in numbers.sample(elements, len(elements)):
            core.put(element)
        assert core.elements() == elements
        assert core.check() is None
        for element in numbers.sample(elements, len(elements)):
            assert core.discard(element)
        assert core.check() is None
        assert core.counters()["pages_used"] == 0


def test_a_separator_keeps_the_extent_it_refers_to() -> None:
    numbers = random.Random(6)
    core = TreeCore(BYTES)
    elements = [b"p" * 300 + b"%04d" % number for number in range(400)]
    for element in numbers.sample(elements, len(elements)):
        core.put(element)
    assert core.counters()["extents"] == len(elements)
    kept = 0.0
    for element in numbers.sample(elements, len(elements)):
        assert core.discard(element)
        kept = max(kept, core.counters()["extents"] - core.count())
        assert core.check() is None
    assert kept > 0
    assert core.counters()["extents"] == 0


def test_layout() -> None:
    assert layout() == {"tree": 16, "node": 24, "node_header": 24}
