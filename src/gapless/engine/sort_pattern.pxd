"""The patterns of SORT: what BY and GET look up for an element.

    #               the element itself
    weight:*        the string under the key that has the element in place of the first star
    object:*->name  a field of the hash under that key

One without a star stands for nothing. All but what is put in place of the star ends with a zero byte for the search of star and arrow.
"""
from libc.stddef cimport size_t
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from gapless.engine.call cimport Arg, Call
from gapless.engine.reply cimport Reply


cdef struct SortPattern:
    const uint8_t* text
    bint itself
    bint star                  # there is one
    size_t before              # bytes before the star
    size_t after               # bytes after it that belong to the key
    const uint8_t* field       # NULL: none
    size_t field_bytes


cdef struct SortText:
    const uint8_t* data        # NULL: there is none
    uint64_t size


cdef void sort_pattern(const Arg* arg, SortPattern* out) noexcept nogil
# What it stands for, until the end of the command. key: a buffer.
cdef void sort_look_up(Call* call, const SortPattern* pattern, const uint8_t* element, uint32_t n, Reply* key, SortText* out) noexcept nogil
