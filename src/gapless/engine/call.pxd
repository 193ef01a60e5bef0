"""A command, a session that gives it, and one call of it: what a handler is told.

Command rows come from the table in gapless.commands (plain Python data); the compiled side keeps one C struct a row.
"""
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from gapless.engine.journal cimport Journal
from gapless.engine.keyspace cimport Keyspace
from gapless.engine.reply cimport Reply


cdef enum CommandFlag:
    COMMAND_WRITE = 1
    COMMAND_READONLY = 2
    COMMAND_DENYOOM = 4
    COMMAND_ADMIN = 8
    COMMAND_NOSCRIPT = 16
    COMMAND_LOADING = 32
    COMMAND_STALE = 64
    COMMAND_FAST = 128
    COMMAND_NO_AUTH = 256
    COMMAND_NO_MULTI = 512
    COMMAND_NOT_QUEUED = 1024      # MULTI, EXEC, DISCARD, WATCH, QUIT, RESET...: run at once inside MULTI
    COMMAND_SKIP_MONITOR = 2048
    COMMAND_SKIP_SLOWLOG = 4096
    COMMAND_PYTHON = 8192          # the handler is a Python callable: takes the GIL
    COMMAND_PROTECTED = 16384      # DEBUG: enable-debug-command says who may
    COMMAND_BLOCKING = 32768       # may make its client wait


cdef enum SessionFlag:
    SESSION_MULTI = 1
    SESSION_DIRTY_CAS = 2          # a watched key changed: EXEC answers null
    SESSION_DIRTY_EXEC = 4         # an error while queueing: EXECABORT
    SESSION_MONITOR = 8
    SESSION_NO_EVICT = 16
    SESSION_NO_TOUCH = 32
    SESSION_REPLY_OFF = 64
    SESSION_REPLY_SKIP = 128       # skip the reply of the next command
    SESSION_CLOSE_AFTER_REPLY = 256
    SESSION_CLOSE_NOW = 512
    SESSION_AUTHENTICATED = 1024
    SESSION_IN_EXEC = 2048
    SESSION_EMBEDDED = 4096        # a connection inside the process, no socket
    SESSION_UNIX_SOCKET = 8192
    SESSION_LOCAL = 16384          # of this machine: from loopback, a Unix socket or inside the process
    SESSION_BLOCKED = 32768        # its last command waits, and has not replied


cdef enum Permission:
    ALLOWED_NOBODY = 0
    ALLOWED_LOCAL = 1
    ALLOWED_ALL = 2


cdef struct Arg:
    const uint8_t* data
    size_t size


cdef struct Command            # below
cdef struct Call
cdef struct Dispatch

ctypedef void (*Handler)(Call* call) noexcept nogil


cdef enum:
    LATENCY_BUCKETS = 34
    ERROR_KINDS = 64


cdef struct Command:
    char name[40]              # lower case, as Redis prints it
    int arity                  # >= 0 exact, < 0 at least, the name counted
    uint32_t flags
    int key_first              # argument position of the first key; 0: none
    int key_last               # < 0 counts from the end
    int key_step
    Handler handler            # NULL with COMMAND_PYTHON
    void* python_handler       # borrowed reference, kept alive by the table
    uint32_t row               # its place in Dispatch.commands
    uint32_t name_size
    uint64_t name_word         # of the name: see command_word()
    uint32_t sub_first         # rows of its subcommands ("client|list"); sub_count 0: it has none
    uint32_t sub_count
    # statistics, per row
    uint64_t calls
    uint64_t ticks             # of clock_ticks()
    uint64_t failed
    uint64_t rejected
    uint64_t latency[LATENCY_BUCKETS]  # calls that took up to 1024 ns << i


cdef struct Session:
    uint64_t id
    int db
    int protocol               # 2 or 3
    uint32_t flags             # SessionFlag
    uint32_t multi_count       # commands queued
    uint32_t multi_flags       # CommandFlag of all of them
    uint32_t watched_count
    uint64_t multi_bytes       # memory that the queue takes
    void* queue                # MULTI's queue: owned by transactions
    void* queue_last
    void* watched              # WATCH's list: owned by transactions
    void* blocked              # what it waits for: owned by blocked
    uint64_t blocked_bytes     # memory that waiting takes
    int wake_fd                # of a connection inside the process: written to when it need not wait any more; -1: none
    void* python               # the Python-side Session object, a reference owned; NULL until one is asked for
    void* client               # the network client; NULL for a connection inside the process
    const char* address        # "127.0.0.1:1234", "/path:0" or ""; lives as long as the session
    const Command* last_command
    int64_t created_ms
    int64_t active_ms          # time of the last command


cdef struct Call:
    Keyspace* keys
    Session* session
    Reply* reply
    Command* command
    Arg* argv                  # argv[0] is the name as it was sent
    int argc
    uint64_t hash              # keyspace_hash() of argv[command.key_first], when that is > 0 and argc reaches it
    Dispatch* dispatch
    void* engine               # the Engine object (borrowed), for handlers in Python
    size_t size                # bytes of all arguments


cdef struct ErrorCount:
    char kind[32]              # the error's first word: "ERR", "WRONGTYPE"
    uint64_t count


cdef struct Dispatch:
    # What dispatch needs to know of one engine.
    Keyspace* keys
    Journal* journal
    const char* writes_refused  # the error that commands which write are answered; NULL: they may
    void* engine               # the Engine object, borrowed
    Command* commands
    uint32_t command_count     # subcommands included
    uint16_t* table            # hash table of the commands without a parent: row + 1
    uint32_t table_mask
    bint password_required     # a session must have SESSION_AUTHENTICATED
    int protected_allowed      # Permission: who may give a COMMAND_PROTECTED
    uint64_t bulk_bytes_max    # proto-max-bulk-len: no string grows beyond it
    uint64_t hash_listpack_fields      # hash-max-listpack-entries and -value: what OBJECT ENCODING calls a listpack
    uint64_t hash_listpack_bytes
    uint64_t set_intset_members        # set-max-intset-entries, set-max-listpack-entries and -value, likewise
    uint64_t set_listpack_members
    uint64_t set_listpack_bytes
    uint64_t hll_sparse_bytes          # hll-sparse-max-bytes: a HyperLogLog that outgrows it is dense
    uint64_t stream_node_bytes         # stream-node-max-bytes and -entries: what XTRIM with ~ takes as one, and DUMP writes so
    uint64_t stream_node_entries
    int list_listpack_size     # list-max-listpack-size: see list_nodes.pxd
    uint64_t zset_listpack_members     # zset-max-listpack-entries and -value, likewise
    uint64_t zset_listpack_bytes
    uint64_t tick              # clock_ticks() at the end of the last command
    uint64_t ns_per_tick       # times 2^24
    uint64_t slow_ticks        # commands that take as long are handed to on_slow; 2^64 - 1: none
    uint64_t calls             # commands executed
    uint64_t errors            # error replies
    ErrorCount error_counts[ERROR_KINDS]
    int error_kinds
    void* watches              # owned by transactions
    void* blocked              # owned by blocked
    uint32_t blocked_sessions  # that wait
    uint32_t ready_keys        # somebody who waits can be served: blocked_serve() is due
    bint serving               # commands are executed for the second time
    Session** monitors
    int monitor_count
    int monitor_room
    uint64_t session_ids       # the last one given
    # Set by the layers above.
    void (*python)(Call* call) noexcept nogil
    void (*on_slow)(Call* call, uint64_t ticks) noexcept nogil
    void (*queue)(Call* call) noexcept nogil
    void (*exec_abort)(Call* call) noexcept nogil
    Reply* (*output)(Dispatch* d, Session* session) noexcept nogil   # where to write to another session; sent at the end of the turn
    void (*on_unblocked)(Dispatch* d, Session* session) noexcept nogil   # it has its reply and goes on
    void* loop                 # for on_unblocked
