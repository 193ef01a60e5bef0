"""What the engine counts, as Python's dicts. The lock is held for all of these."""
from gapless.engine.call cimport Dispatch
from gapless.engine.loop cimport Loop


# Every counter by name: bytes, keys, ns and times since the start, as the name says. O(clients + segments).
cdef dict statistics_counters(Loop* loop, bint walk)
# Error replies by their first word.
cdef dict statistics_errors(Dispatch* d)
# {name: (calls, microseconds, rejected, failed)} of the commands that were called or rejected.
cdef dict statistics_commands(Dispatch* d)
# (calls, {microseconds: calls that took at most so long}) of a command; the buckets are powers of two.
cdef tuple statistics_latency(Dispatch* d, bytes name)
# CONFIG RESETSTAT: command statistics, latency histograms, errors, hits, misses, traffic.
cdef void statistics_reset(Loop* loop) noexcept
