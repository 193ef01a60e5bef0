"""Cutting a tree of positions in two: what a list is trimmed with.

The nodes on the path to the cut are divided, all others change hands as they are. The two nodes at the cut may be left as empty as they
come out, for nothing is merged: a level has at most one such node more a cut, and at an end of a list it fills up again or goes.
"""
from libc.stdint cimport uint64_t
from gapless.engine.base cimport Status
from gapless.engine.forest cimport Forest, Tree


# Moves the elements from this rank on, some but not all, to an empty tree. STATUS_FULL: too few pages are left, nothing was changed.
# O(log n), and a look at the inner nodes of the shorter part, one for 100,000 short elements.
cdef Status tree_cut(Forest* f, Tree* t, uint64_t rank, Tree* right) noexcept nogil
