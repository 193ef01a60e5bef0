"""Notes of what is done to trees that belong to records, for the journal: taken where a tree changes, turned into effects (effects.pxd) when the key
they belong to is done with.

A tree belongs to a record if its Tree lies in the arena or in an extent. Trees on the stack are being built, and are written out as a whole when a
key takes them over.

While nothing is journaled Forest.notes is NULL, and a change of a tree costs one branch that is never taken.
"""
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from gapless.engine.extent cimport EXTENT_CLASSES, Extents


cdef enum NoteKind:
    NOTE_PUT = 0           # the element is there from now on, in place of one of the same key
    NOTE_DROP = 1          # there is none of this key any more
    NOTE_INSERT = 2        # by position
    NOTE_REMOVE = 3
    NOTE_REPLACE = 4
    NOTE_CUT_LEFT = 5      # so many elements are gone from the left
    NOTE_CUT_TO = 6        # so many are left, from the left
    NOTE_NEW = 7           # the record itself is new


cdef enum:
    DROPPED_BYTES_MAX = 600    # in the order of bytes so many of an element are enough to find it: no key is longer


cdef struct TreeNote:
    const uint8_t* tree        # the Tree's address
    int kind
    uint32_t position          # or how many
    uint32_t n                 # bytes of the element or key
    const uint8_t* element     # where it lies until the end of the command; NULL: it is in the scratch,
    uint64_t at                # here


cdef struct TreeNotes:
    const uint8_t* arena       # where records lie
    uint64_t arena_bytes
    Extents* extents           # or here
    TreeNote* notes
    uint32_t count
    uint32_t room
    uint8_t* scratch           # elements, copied
    uint64_t scratch_bytes
    uint64_t scratch_room


cdef TreeNotes* notes_new(const uint8_t* arena, uint64_t arena_bytes, Extents* extents) noexcept nogil
cdef void notes_free(TreeNotes* notes) noexcept nogil
# `lasting`: the element's bytes stay as they are until the end of the command.
cdef void note_take(TreeNotes* notes, const void* tree, int kind, const uint8_t* element, uint32_t n, uint32_t position, bint lasting) noexcept nogil
# Those of the notes that are of Trees in these bytes are forgotten: the trees are gone, or the notes are written.
cdef void notes_forget(TreeNotes* notes, const void* trees, uint64_t bytes) noexcept nogil
# Trees lie elsewhere from now on.
cdef void notes_moved(TreeNotes* notes, const void* trees, uint64_t bytes, const void* to) noexcept nogil


cdef inline const uint8_t* note_bytes(const TreeNotes* notes, const TreeNote* note) noexcept nogil:
    return note.element if note.element != NULL else notes.scratch + note.at


cdef inline bint notes_own(const TreeNotes* notes, const void* tree) noexcept nogil:
    """Whether it is a record's."""
    cdef const uint8_t* at = <const uint8_t*>tree
    cdef int i
    if <uint64_t>(at - notes.arena) < notes.arena_bytes:
        return True
    for i in range(EXTENT_CLASSES):
        if (notes.extents.classes[i].base != NULL and <uint64_t>(at - notes.extents.classes[i].base)
                < notes.extents.classes[i].slots * notes.extents.classes[i].slot_bytes):
            return True
    return False


cdef inline bint note_is_of(const TreeNote* note, const void* trees, uint64_t bytes) noexcept nogil:
    return <uint64_t>(note.tree - <const uint8_t*>trees) < bytes
