"""The file that RDB's values lie in: dump.rdb.

    file      magic and version, entries, EOF, CRC-64 of all before it (u64; 0: none was made). No CRC before version 5
    magic     "REDIS" and 4 digits, or "VALKEY" and 3
    entry     [EXPIRETIME s, u32 | EXPIRETIME_MS ms, u64] [IDLE seconds, length | FREQ u8] type, key, value
              SELECTDB number of the database of what follows
              RESIZEDB keys, keys with a TTL        hints, as SLOT_INFO is: slot, keys, keys with a TTL
              AUX name, value                       about the file, not of the data
              FUNCTION2 code of a library           before Redis 7.0 was done FUNCTION_PRE_GA name, engine, 0 | 1 description, code
              MODULE_AUX                            of a module, as values of the types MODULE are: not for us

Strings, lengths and values: see rdb.pxd. Numbers are little-endian.
"""

cdef enum:
    RDB_SLOT_INFO = 244
    RDB_FUNCTION2 = 245
    RDB_FUNCTION_PRE_GA = 246
    RDB_MODULE_AUX = 247
    RDB_IDLE = 248
    RDB_FREQ = 249
    RDB_AUX = 250
    RDB_RESIZEDB = 251
    RDB_EXPIRETIME_MS = 252
    RDB_EXPIRETIME = 253
    RDB_SELECTDB = 254
    RDB_EOF = 255
    RDB_TYPE_MODULE = 6
    RDB_TYPE_MODULE_2 = 7
    RDB_HEADER_BYTES = 9
    RDB_CHECKSUM_BYTES = 8
    RDB_VERSION_CHECKSUM = 5       # the first that has one
    RDB_VERSION_VALKEY = 80        # of Valkey 9; that of Valkey 8 is 11, with Redis's magic
