"""Clients' buffers count against maxmemory as they grow, not only when the resident bytes are measured next.

keys.memory_base is what the process has beside the keyspace: measured 10 times a second, and what clients' buffers have grown since.
When it all no longer fits, keys go first, as the policy says; then the client with the largest buffers, and so on. A buffer counts
with the bytes of it that were ever written: untouched ones are not resident.
"""
from libc.stdint cimport uint64_t
from gapless.engine.client cimport Client, Clients


# To be called when a client's buffers may have changed. O(1).
cdef void client_count(Client* c) noexcept nogil
# The client goes: what it had counts no more.
cdef void client_uncount(Client* c) noexcept nogil
# The resident bytes have been measured.
cdef void client_memory_measured(Clients* clients, uint64_t resident_bytes) noexcept nogil
# Whether all fits, or was made to: keys evicted, clients doomed. REQUIRED: no command runs. O(1) when it fits.
cdef bint client_memory_bound(Clients* clients) noexcept nogil
# Large blocks go back to the system the moment they are freed; for a process that is a server and nothing else.
cdef void client_memory_own_process() noexcept nogil
