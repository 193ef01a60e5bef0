"""Collections of a store as Python's own: what `store.hash(key)` and its like return.

A view holds no data and no position, only the store and the key: it looks the collection up whenever it is
used, an empty one being none. So it works while others change the collection, and on a key that is not there
yet. It takes bytes, str and numbers and gives bytes; equality is that of bytes. TypeError (WrongTypeError)
where the key holds another type.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gapless.views.hashes import HashView
from gapless.views.lists import ListView
from gapless.views.sets import SetView
from gapless.views.sorted_sets import SortedSetView
from gapless.views.streams import StreamView

if TYPE_CHECKING:
    from gapless.store import Store

    Key = bytes | str


class Views:
    """The methods of a store that make views: O(1), they look nothing up."""

    def hash(self: Store, key: Key) -> HashView:  # type: ignore[misc]
        """The hash under a key, a mapping of field -> value."""
        return HashView(self, key)

    def list(self: Store, key: Key) -> ListView:  # type: ignore[misc]
        """The list under a key, a sequence."""
        return ListView(self, key)

    def view_of_set(self: Store, key: Key) -> SetView:  # type: ignore[misc]
        """What `set(key)` returns: the set under a key."""
        return SetView(self, key)

    def sorted_set(self: Store, key: Key) -> SortedSetView:  # type: ignore[misc]
        """The sorted set under a key, a mapping of member -> score in the order of scores."""
        return SortedSetView(self, key)

    def stream(self: Store, key: Key) -> StreamView:  # type: ignore[misc]
        """The stream under a key, an iterable of (ID, fields)."""
        return StreamView(self, key)
