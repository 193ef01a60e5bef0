"""The commands of the crash loop, by type: each a function from a Draw to the words of one command.

What they do follows from the owner's keys alone: IDs are given up to the sequence number, idle times asked for are 0, nothing
is picked at random. SPOP is the exception, and stands by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain

from tests.crash.draw import KEYS, Draw, is_large
from tests.crash.unit import Args

Maker = Callable[[Draw], Args]
Words = list[bytes]

GROUPS = (b"g", b"h")
CONSUMERS = (b"alice", b"bob")


def _key(kind: str, name: str, *more: Callable[[Draw, bytes], bytes | Words]) -> Maker:
    """A command whose first argument is a key, and the others depend on it."""

    def make(d: Draw) -> Args:
        key = d.key(kind)
        words: Words = [*name.encode().split(), key]
        for each in more:
            word = each(d, key)
            words += [word] if isinstance(word, bytes) else word
        return tuple(words)

    return make


def _keys(kind: str, name: str, *more: Callable[[Draw], bytes | Words]) -> Maker:
    """A command that stores in a key what it makes of some others."""

    def make(d: Draw) -> Args:
        words: Words = [*name.encode().split(), d.key(kind)]
        for each in more:
            word = each(d)
            words += [word] if isinstance(word, bytes) else word
        return tuple(words)

    return make


def _numbered(kind: str) -> Callable[[Draw], Words]:
    def make(d: Draw) -> Words:
        keys = d.some_keys(kind)
        return [b"%d" % len(keys), *keys]

    return make


def _word(*choices: bytes) -> Callable[[Draw, bytes], bytes]:
    return lambda d, key: d.rng.choice(choices)


def _maybe(*choices: bytes) -> Callable[[Draw, bytes], Words]:
    return lambda d, key: [d.rng.choice(choices)] if d.one_in(3) else []


def _pairs(
    first: Callable[[Draw, bytes], bytes], second: Callable[[Draw, bytes], bytes]
) -> Callable[[Draw, bytes], Words]:
    def make(d: Draw, key: bytes) -> Words:
        return list(chain.from_iterable((first(d, key), second(d, key)) for _ in range(d.count(key))))

    return make


def _value(d: Draw, key: bytes) -> bytes:
    return d.value(key)


def _small(d: Draw, key: bytes) -> bytes:
    return d.value()


def _element(d: Draw, key: bytes) -> bytes:
    return d.element(key)


def _elements(d: Draw, key: bytes) -> Words:
    return d.elements(key)


def _some(d: Draw, key: bytes) -> bytes:
    """How many to take: a few, of a large one now and then many."""
    return d.integer(1, 200) if is_large(key) and d.one_in(5) else d.integer(1, 3)


def _integer(d: Draw, key: bytes) -> bytes:
    return d.integer()


def _score(d: Draw, key: bytes) -> bytes:
    return d.score()


def _offset(d: Draw, key: bytes) -> bytes:
    return d.offset(key)


def _expiry(d: Draw, key: bytes) -> Words:
    return list(d.expiry())


def _time(d: Draw, key: bytes) -> bytes:
    return b"%d" % d.time_ms()


def _lifetime(d: Draw, key: bytes) -> bytes:
    return b"%d" % d.lifetime_ms()


def _bounds(d: Draw, key: bytes) -> Words:
    """What stays of a list: most of it, so that it has something to lose the next time."""
    return [d.integer(0, 3), d.integer(500, 900) if is_large(key) else d.integer(4, 20)]


def _range(d: Draw, key: bytes) -> Words:
    start = d.rng.randint(-20, 20)
    return [b"%d" % start, b"%d" % (start + d.rng.randint(0, 4))]


def _fields(d: Draw, key: bytes) -> Words:
    fields = list(dict.fromkeys(d.elements(key)))
    return [b"FIELDS", b"%d" % len(fields), *fields]


def _field_values(d: Draw, key: bytes) -> Words:
    fields = list(dict.fromkeys(d.elements(key)))
    return [b"FIELDS", b"%d" % len(fields), *chain.from_iterable((field, d.value()) for field in fields)]


def _place(d: Draw, key: bytes) -> Words:
    lon, lat = d.rng.uniform(-20, 20), d.rng.uniform(40, 60)
    return [b"%.4f" % lon, b"%.4f" % lat, d.element(key)]


# ---- types

_CONDITION = _maybe(b"NX", b"XX", b"GT", b"LT")

STRINGS: list[Maker] = [
    _key("string", "SET", _value),
    _key("string", "SET", _value),
    _key("string", "SET", _value, _expiry),
    _key("string", "SET", _value, _word(b"NX", b"XX", b"KEEPTTL")),
    _key("string", "SETNX", _value),
    _key("string", "GETSET", _value),
    _key("string", "GETEX", _expiry),
    _key("string", "GETEX", _word(b"PERSIST")),
    _key("string", "GETDEL"),
    _key("string", "APPEND", _small),
    _key("string", "APPEND", _value),
    _key("string", "SETRANGE", _offset, _small),
    _keys("string", "MSET", lambda d: [d.value(), d.key("string"), d.value()]),
    _keys("string", "MSETNX", lambda d: [d.value(), d.key("string"), d.value()]),
    _key("number", "INCR"),
    _key("number", "DECR"),
    _key("number", "INCRBY", _integer),
    _key("number", "INCRBYFLOAT", _score),
    _key("number", "SET", _integer),
]
BITMAPS: list[Maker] = [
    _key("bitmap", "SETBIT", _offset, _word(b"0", b"1")),
    _key("bitmap", "SETBIT", _offset, _word(b"0", b"1")),
    _key("bitmap", "BITFIELD", lambda d, k: [b"SET", b"u8", d.offset(k), d.integer(0, 255)]),
    _key("bitmap", "BITFIELD", lambda d, k: [b"INCRBY", b"i16", d.offset(k), d.integer()]),
    lambda d: (
        b"BITOP",
        d.rng.choice([b"AND", b"OR", b"XOR"]),
        d.key("bitmap"),
        d.key("bitmap"),
        d.key("bitmap"),
    ),
]
HYPERLOGLOGS: list[Maker] = [
    _key("hyperloglog", "PFADD", _elements),
    _key("hyperloglog", "PFADD", _elements),
    _key("hyperloglog", "PFCOUNT"),
    _keys("hyperloglog", "PFMERGE", lambda d: d.some_keys("hyperloglog")),
]
HASHES: list[Maker] = [
    _key("hash", "HSET", _pairs(_element, _small)),
    _key("hash", "HSET", _pairs(_element, _small)),
    _key("hash", "HMSET", _pairs(_element, _value)),
    _key("hash", "HSETNX", _element, _small),
    _key("hash", "HDEL", _elements),
    _key("hash", "HINCRBY", lambda d, k: [b"count", d.integer()]),
    _key("hash", "HINCRBYFLOAT", lambda d, k: [b"sum", d.score()]),
    _key("hash", "HPEXPIREAT", _time, _CONDITION, _fields),
    _key("hash", "HPEXPIRE", _lifetime, _fields),
    _key("hash", "HPERSIST", _fields),
    _key("hash", "HSETEX", _expiry, _field_values),
    _key("hash", "HSETEX", _word(b"KEEPTTL"), _field_values),
    _key("hash", "HGETEX", _expiry, _fields),
    _key("hash", "HGETDEL", _fields),
]
LISTS: list[Maker] = [
    _key("list", "RPUSH", _elements),
    _key("list", "LPUSH", _elements),
    _key("list", "RPUSHX", _element),
    _key("list", "LPOP", _some),
    _key("list", "RPOP", _some),
    _key("list", "LINSERT", _word(b"BEFORE", b"AFTER"), _element, _element),
    _key("list", "LSET", lambda d, k: d.integer(-5, 5), _element),
    _key("list", "LREM", lambda d, k: d.integer(-2, 2), _element),
    _key("list", "LTRIM", _bounds),
    lambda d: (b"LMOVE", d.key("list"), d.key("list"), d.side(), d.side()),
    lambda d: (b"RPOPLPUSH", d.key("list"), d.key("list")),
    lambda d: (b"LMPOP", *_numbered("list")(d), d.side(), b"COUNT", d.integer(1, 3)),
    lambda d: (b"SORT", d.key("list"), b"ALPHA", b"STORE", d.key("list")),
]
SETS: list[Maker] = [
    _key("set", "SADD", _elements),
    _key("set", "SADD", _elements),
    _key("set", "SREM", _elements),
    lambda d: (b"SMOVE", d.key("set"), d.key("set"), d.element(b"e")),
    _keys("set", "SUNIONSTORE", lambda d: d.some_keys("set")),
    _keys("set", "SINTERSTORE", lambda d: d.some_keys("set")),
    _keys("set", "SDIFFSTORE", lambda d: d.some_keys("set")),
]
SORTED_SETS: list[Maker] = [
    _key("sorted set", "ZADD", _pairs(_score, _element)),
    _key("sorted set", "ZADD", _pairs(_score, _element)),
    _key("sorted set", "ZADD", _word(b"NX", b"XX", b"GT", b"LT"), _pairs(_score, _element)),
    _key("sorted set", "ZINCRBY", _score, _element),
    _key("sorted set", "ZREM", _elements),
    _key("sorted set", "ZPOPMIN", _some),
    _key("sorted set", "ZPOPMAX", _some),
    _key("sorted set", "ZREMRANGEBYRANK", _range),
    _key("sorted set", "ZREMRANGEBYSCORE", _range),
    _keys("sorted set", "ZUNIONSTORE", _numbered("sorted set")),
    _keys("sorted set", "ZINTERSTORE", _numbered("sorted set")),
    _keys("sorted set", "ZDIFFSTORE", _numbered("sorted set")),
    lambda d: (b"ZRANGESTORE", d.key("sorted set"), d.key("sorted set"), b"2", b"400"),
    lambda d: (
        b"ZMPOP",
        *_numbered("sorted set")(d),
        d.rng.choice([b"MIN", b"MAX"]),
        b"COUNT",
        d.integer(1, 3),
    ),
    _key("geo", "GEOADD", _place),
    _key("geo", "GEOADD", _place),
    lambda d: (
        *(b"GEOSEARCHSTORE", d.key("geo"), d.key("geo"), b"FROMLONLAT", b"0", b"50"),
        *(b"BYRADIUS", b"900", b"km", b"ASC"),
    ),
]


def _group(d: Draw, key: bytes) -> bytes:
    return d.rng.choice(GROUPS)


def _consumer(d: Draw, key: bytes) -> bytes:
    return d.rng.choice(CONSUMERS)


def _stream_id(d: Draw, key: bytes) -> bytes:
    return b"6-%d" % d.rng.randint(0, 400 if is_large(key or b"x") else 40)


def _stream_ids(d: Draw, key: bytes) -> Words:
    return [_stream_id(d, key) for _ in range(d.rng.randint(1, 12))]


def _entry(d: Draw, key: bytes) -> Words:
    """The stream itself numbers the entries, from where it stands. Now and then other fields, and an ID that goes back."""
    fields = [b"field", d.value()] if d.one_in(2) else [b"a", d.value(), b"b", d.element(key)]
    return [b"5-*" if d.one_in(30) else b"6-*", *fields]


STREAMS: list[Maker] = [
    _key("stream", "XADD", _entry),
    _key("stream", "XADD", _entry),
    _key("stream", "XADD", _entry),
    _key("stream", "XADD", _entry),
    _key("stream", "XADD", lambda d, k: [b"MAXLEN", d.integer(5, 80)], _entry),
    _key("stream", "XADD", _word(b"NOMKSTREAM"), _entry),
    _key("stream", "XDEL", _stream_ids),
    _key("stream", "XTRIM", lambda d, k: [b"MAXLEN", d.integer(2, 200 if is_large(k) else 20)]),
    _key("stream", "XTRIM", lambda d, k: [b"MINID", _stream_id(d, k)]),
    _key("stream", "XGROUP CREATE", _group, _word(b"0", b"$"), _word(b"MKSTREAM")),
    _key("stream", "XGROUP CREATE", _group, _word(b"0", b"$"), _word(b"MKSTREAM")),
    _key("stream", "XGROUP SETID", _group, _word(b"0", b"$", b"3-0")),
    _key("stream", "XGROUP CREATECONSUMER", _group, _consumer),
    _key("stream", "XGROUP DELCONSUMER", _group, _consumer),
    lambda d: (
        (b"XGROUP", b"DESTROY", d.key("stream"), _group(d, b""))
        if d.one_in(4)
        else (b"XLEN", d.key("stream"))
    ),
    lambda d: (
        *(b"XREADGROUP", b"GROUP", _group(d, b""), _consumer(d, b""), b"COUNT", d.integer(1, 9)),
        *(b"STREAMS", d.key("stream"), b">"),
    ),
    lambda d: (
        *(b"XREADGROUP", b"GROUP", _group(d, b""), _consumer(d, b""), b"COUNT", d.integer(1, 9)),
        *(b"STREAMS", d.key("stream"), b">"),
    ),
    _key("stream", "XACK", _group, _stream_ids),
    _key("stream", "XCLAIM", _group, _consumer, _word(b"0"), _stream_ids),
    _key(
        "stream",
        "XAUTOCLAIM",
        _group,
        _consumer,
        _word(b"0"),
        _stream_id,
        lambda d, k: [b"COUNT", d.integer(1, 5)],
    ),
    _key("stream", "XSETID", _word(b"6-70")),
    lambda d: (b"DEL", d.key("stream")),
]

# ---- keys of any type


def _any_kind(d: Draw) -> str:
    return d.rng.choice(list(KEYS))


def _second_kind(d: Draw, kind: str) -> str:
    """Mostly the same: a key of another type refuses most of its commands until it is gone."""
    return _any_kind(d) if d.one_in(12) else kind


def _two(d: Draw) -> tuple[bytes, bytes]:
    kind = _any_kind(d)
    return d.key(kind), d.key(_second_kind(d, kind))


def _copy_elsewhere(d: Draw) -> Args:
    kind, other = _any_kind(d), d.other_database()
    return b"COPY", d.key(kind), d.key(kind, other), b"DB", b"%d" % other, b"REPLACE"


def _move(d: Draw) -> Args:
    other = d.other_database()
    key = d.key(_any_kind(d))
    d.touched.add((other, key))
    return b"MOVE", key, b"%d" % other


def _any(name: str, *more: Callable[[Draw, bytes], bytes | Words]) -> Maker:
    return lambda d: _key(_any_kind(d), name, *more)(d)


GENERIC: list[Maker] = [
    _any("DEL"),
    _any("UNLINK"),
    lambda d: (b"DEL", *_two(d)),
    lambda d: (b"RENAME", *_two(d)),
    lambda d: (b"RENAMENX", *_two(d)),
    lambda d: (b"COPY", *_two(d), b"REPLACE"),
    lambda d: (b"COPY", *_two(d)),
    _copy_elsewhere,
    _move,
    _any("PEXPIREAT", _time, _CONDITION),
    _any("PEXPIREAT", _time),
    _any("PEXPIRE", _lifetime),
    _any("PERSIST"),
]

TYPES: dict[str, list[Maker]] = {
    "string": STRINGS,
    "bitmap": BITMAPS,
    "hyperloglog": HYPERLOGLOGS,
    "hash": HASHES,
    "list": LISTS,
    "set": SETS,
    "sorted set": SORTED_SETS,
    "stream": STREAMS,
    "generic": GENERIC,
}


def burst(d: Draw) -> list[Args]:
    """What makes a large stream."""
    key = d.key("stream")
    return [(b"XADD", key, *_entry(d, key)) for _ in range(d.rng.randint(20, 100))]


def pop(d: Draw) -> Args:
    """Few: of more than five parts of what is left Redis makes a new set, with an encoding that the model's SREM doesn't give."""
    return b"SPOP", d.key("set"), d.integer(1, 4)


def short_lived(d: Draw, key: bytes) -> list[Args]:
    """A value with a life of some hundred milliseconds, written as a whole: what is there does not matter."""
    if d.one_in(2):
        return [(b"SET", key, d.value(), b"PXAT", d.moment_ms())]
    if d.one_in(2):
        return [(b"DEL", key), (b"RPUSH", key, *d.elements(b"L")), (b"PEXPIREAT", key, d.moment_ms())]
    fields = list(chain.from_iterable((field, d.value()) for field in dict.fromkeys(d.elements(b"H"))))
    going = fields[::4]
    return [
        (b"DEL", key),
        (b"HSET", key, b"stays", b"1", *fields),
        (b"HPEXPIREAT", key, d.moment_ms(), b"FIELDS", b"%d" % len(going), *going),
    ]
