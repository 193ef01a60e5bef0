"""From the name of a command to its handler. See dispatch.pxd."""
from libc.stdint cimport uintptr_t
from gapless.engine.call cimport Handler

# name -> address of the compiled handler
cdef dict _handlers = {}


cdef void handler_register(const char* name, Handler handler) noexcept:
    _handlers[<bytes>name] = <uintptr_t>handler
