"""Effects: what became of keys, as bytes for the journal. This file owns their layout; docs/FORMATS.md tells it to others.

Effects are physical: recorded where the keyspace and the trees change, they know nothing of commands. A body is effects one behind the other:

    offset  size   effect
    0       1      bits 0-3 kind, bits 4-7 RecordType (PUT, PATCH, CHANGE, IMAGE)
    1       1      bits 0-3 database number, bit 4 TTL, bit 5 WIDE_TTL, bits 6-7 the record's RAW, TEXT or TREES
    2       0|6|8  TTL: absolute expiry in ms since the epoch (PUT, IMAGE, EXPIRE)
    .       1-5    key length, LEB128
    .       1-5    body length, LEB128
    .       n      key
    .       n      body

    kind        body
    PUT         the value's bytes as they lie in a record: a string, a packed collection
    PATCH       splices of such a value
    CHANGE      marks of the first Tree u8 | changes of trees | ROOT or nothing
    IMAGE       part u8 | with FIRST: length of the root varint, root | with LAST: the file of the first part varint | changes of trees
    EXPIRE      nothing
    DELETE      nothing
    RENAME      target database number u8, target key
    FLUSH       nothing; no key
    FLUSH_ALL   nothing; no key
    SWAP        the other database number u8; no key

    splice      bytes to go on varint | bytes cut varint | bytes put varint | these
    change      bits 0-2 what, bit 3 which Tree, bit 4 ONLY_WHOLE u8 |
      PUT       length varint | element: of the same key, it takes the other's place; in a list it goes behind all others
      DROP      length varint | field, member, or as much of an element as is its key
      INSERT    position varint | length varint | element
      REMOVE    position varint
      REPLACE   position varint | length varint | element
      CUT_LEFT  how many elements go varint
      CUT_TO    how many stay varint
      ROOT      splices of what the record holds behind its Trees, with ALL these bytes themselves: to the end of the body
    root        marks of the first Tree u8 | what the record holds behind its Trees

A sorted set's tree by score is in none of it: it follows from that by member. Everything but PATCH, ROOT, RENAME, SWAP and the changes of lists
says what is, so that to apply it twice is the same as once.
"""
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from gapless.engine.extent cimport Extents
from gapless.engine.tree_notes cimport DROPPED_BYTES_MAX, TreeNotes


cdef enum:
    EFFECTS_HEADROOM = 24      # bytes of a batch that are left free for what frames it
    EFFECT_HEAD_BYTES_MAX = 20
    ROOT_BYTES_MAX = 2048      # of what a record holds behind its Trees, that is compared with what was there before
    ROOTS_KEPT = 4
    STREAM_COUNTS_BYTES = 192  # at the front of a stream's value, where single numbers change


cdef enum EffectKind:
    EFFECT_PUT = 1
    EFFECT_PATCH = 2
    EFFECT_CHANGE = 3
    EFFECT_IMAGE = 4
    EFFECT_EXPIRE = 5
    EFFECT_DELETE = 6
    EFFECT_RENAME = 7
    EFFECT_FLUSH = 8
    EFFECT_FLUSH_ALL = 9
    EFFECT_SWAP = 10


cdef enum:
    EFFECT_KIND_MASK = 0x0f    # of byte 0
    EFFECT_DB_MASK = 0x0f      # of byte 1
    EFFECT_TTL = 0x10
    EFFECT_WIDE_TTL = 0x20
    EFFECT_MAKING_MASK = 0xc0
    CHANGE_ROOT = 7            # the others are NoteKinds (tree_notes.pxd)
    CHANGE_KIND_MASK = 0x07
    CHANGE_SECOND_TREE = 0x08
    CHANGE_ONLY_WHOLE = 0x10   # not for a list of which only the first elements are there yet
    CHANGE_ALL = 0x10          # of ROOT
    IMAGE_FIRST = 1
    IMAGE_LAST = 2
    IMAGE_ANEW = 4             # in place of what is there; else for those who have not the whole


cdef struct RootBefore:
    # What a record holds behind its Trees, as the journal has it. Whose record: by the address of its Trees.
    const uint8_t* trees
    uint64_t key_hash
    uint64_t bytes
    uint8_t[ROOT_BYTES_MAX] copy


cdef struct ImageCursor:
    # The image that is written in parts (effects_image.pxd), and how far it is.
    bint open
    int db
    uint8_t* key
    uint32_t key_bytes
    uint64_t key_hash
    uint32_t file              # where its first part lies
    int tree                   # being written
    uint32_t position          # lists: elements written
    uint32_t element_bytes     # else: of the element written last, as much as is its key; 0: none yet
    uint64_t head              # or the hash of it
    uint8_t[DROPPED_BYTES_MAX] element


cdef struct Effects:
    uint8_t* bytes             # the batch being gathered, the headroom at its front
    uint64_t length            # headroom included; == EFFECTS_HEADROOM: nothing is gathered
    uint64_t room
    uint32_t file              # number of the journal file that the batch will go to
    int64_t time_ms            # of the first effect of the batch: what replay takes for the time
    const int64_t* now_ms
    TreeNotes* notes
    uint8_t* scratch           # splices
    uint64_t scratch_room
    RootBefore[ROOTS_KEPT] roots
    uint32_t root_next         # which is given away next
    ImageCursor image
    uint64_t renames           # recorded, ever: large values that went to other keys


# Life: see keyspace_record_effects().
cdef Effects* effects_new(const uint8_t* arena, uint64_t arena_bytes, Extents* extents, const int64_t* now_ms) noexcept nogil
cdef void effects_free(Effects* e) noexcept nogil
# The batch has been written, another begins.
cdef void effects_clear(Effects* e) noexcept nogil

# An effect without its body; returns where `body_bytes` of it go. type: with RECORD_RAW, RECORD_TEXT or RECORD_TREES. expire_ms -1: none.
cdef uint8_t* effects_begin(Effects* e, int kind, uint32_t type, int db, int64_t expire_ms, const uint8_t* key, uint64_t key_bytes,
                            uint64_t body_bytes) noexcept nogil
cdef void effects_put(Effects* e, uint32_t type, int db, int64_t expire_ms, const uint8_t* key, uint64_t key_bytes, const uint8_t* value,
                      uint64_t value_bytes) noexcept nogil
# A value in which `put` bytes from `offset` on took the place of `cut`. True: as a PATCH, False: as a PUT, which is shorter.
cdef bint effects_patch(Effects* e, uint32_t type, int db, int64_t expire_ms, const uint8_t* key, uint64_t key_bytes, const uint8_t* value,
                        uint64_t value_bytes, uint64_t offset, uint64_t cut, uint64_t put) noexcept nogil
# A value that was `before`; which may be where `value` will only be written to. As effects_patch().
cdef bint effects_rewrite(Effects* e, uint32_t type, int db, int64_t expire_ms, const uint8_t* key, uint64_t key_bytes, const uint8_t* value,
                          uint64_t value_bytes, const uint8_t* before, uint64_t before_bytes) noexcept nogil

cdef void effects_rename(Effects* e, int db, const uint8_t* key, uint64_t key_bytes, int to_db, const uint8_t* to_key,
                         uint64_t to_key_bytes) noexcept nogil
cdef void effects_swap(Effects* e, int a, int b) noexcept nogil
# The key is gone, or another value's, without an effect of its own: an image of it in parts is not gone on with.
cdef void effects_end_image(Effects* e, int db, const uint8_t* key, uint64_t key_bytes) noexcept nogil

# Of a value that begins with `trees_bytes` of Trees: what the notes say of them, and what has changed behind them. False: the record is
# new, nothing was written: an image is due.
cdef bint effects_change(Effects* e, uint32_t type, int db, const uint8_t* key, uint64_t key_bytes, uint64_t key_hash, const uint8_t* value,
                         uint64_t value_bytes, uint64_t trees_bytes) noexcept nogil
# Keeps what the record holds behind its Trees, so that only what changes of it is written. To be called before the first change of a
# command; without it all of it is written.
cdef void effects_root(Effects* e, uint64_t key_hash, const uint8_t* value, uint64_t value_bytes, uint64_t trees_bytes) noexcept nogil
# The Trees lie elsewhere from now on; are gone, or are written as a whole.
cdef void effects_trees_moved(Effects* e, const uint8_t* trees, uint64_t trees_bytes, const uint8_t* to) noexcept nogil
cdef void effects_trees_gone(Effects* e, const uint8_t* trees, uint64_t trees_bytes) noexcept nogil

cdef struct Effect:
    # One effect, as it lies in a body.
    int kind
    uint32_t type
    int db
    uint32_t making            # RECORD_RAW, RECORD_TEXT or RECORD_TREES
    int64_t expire_ms          # -1: none
    const uint8_t* key
    const uint8_t* body
    uint32_t key_bytes
    uint32_t body_bytes


# The effect at p, and where the next one is; NULL: it does not end before `end`, or is none.
cdef const uint8_t* effect_read(const uint8_t* p, const uint8_t* end, Effect* out) noexcept nogil
