"""Notes of changes to records' trees. See tree_notes.pxd."""
from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memcpy
from gapless.engine.base cimport INVARIANT

cdef enum:
    COPIED_BYTES_MAX = 2048    # what lasts and is longer is not copied
    SCRATCH_KEPT = 1 << 20     # bytes that stay for the next


cdef TreeNotes* notes_new(const uint8_t* arena, uint64_t arena_bytes, Extents* extents) noexcept nogil:
    cdef TreeNotes* notes = <TreeNotes*>calloc(1, sizeof(TreeNotes))
    INVARIANT(notes != NULL)
    notes.arena = arena
    notes.arena_bytes = arena_bytes
    notes.extents = extents
    return notes


cdef void notes_free(TreeNotes* notes) noexcept nogil:
    free(notes.notes)
    free(notes.scratch)
    free(notes)


cdef void note_take(TreeNotes* notes, const void* tree, int kind, const uint8_t* element, uint32_t n, uint32_t position, bint lasting) noexcept nogil:
    cdef TreeNote* note
    if notes.count == notes.room:
        notes.room = notes.room * 2 + 16
        notes.notes = <TreeNote*>realloc(notes.notes, notes.room * sizeof(TreeNote))
        INVARIANT(notes.notes != NULL)
    note = &notes.notes[notes.count]
    notes.count += 1
    note.tree = <const uint8_t*>tree
    note.kind = kind
    note.position = position
    note.n = n
    note.element = element
    note.at = 0
    if n == 0 or (lasting and n > <uint32_t>COPIED_BYTES_MAX):
        return
    if notes.scratch_bytes + n > notes.scratch_room:
        notes.scratch_room = (notes.scratch_bytes + n) * 2
        notes.scratch = <uint8_t*>realloc(notes.scratch, notes.scratch_room)
        INVARIANT(notes.scratch != NULL)
    note.element = NULL
    note.at = notes.scratch_bytes
    memcpy(notes.scratch + notes.scratch_bytes, element, n)
    notes.scratch_bytes += n


cdef void notes_forget(TreeNotes* notes, const void* trees, uint64_t bytes) noexcept nogil:
    cdef uint32_t i, kept = 0
    for i in range(notes.count):
        if not note_is_of(&notes.notes[i], trees, bytes):
            notes.notes[kept] = notes.notes[i]
            kept += 1
    notes.count = kept
    if kept:
        return
    notes.scratch_bytes = 0
    if notes.scratch_room > <uint64_t>SCRATCH_KEPT:
        free(notes.scratch)
        notes.scratch = NULL
        notes.scratch_room = 0


cdef void notes_moved(TreeNotes* notes, const void* trees, uint64_t bytes, const void* to) noexcept nogil:
    cdef uint32_t i
    for i in range(notes.count):
        if note_is_of(&notes.notes[i], trees, bytes):
            notes.notes[i].tree = <const uint8_t*>to + (notes.notes[i].tree - <const uint8_t*>trees)
