# Made by tools/method_stubs.py from redis-py 8.1.0.
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Literal

from redis.commands.core import BitFieldOperation

_Text = bytes | str
_Value = bytes | str | int | float | bytearray | memoryview
_StreamId = int | bytes | str

GROUPS: frozenset[str]

def command_of(name: str) -> str: ...
def redis_py_methods() -> dict[str, Callable[..., Any]]: ...

class Methods(ABC):
    @abstractmethod
    def execute(self, *args: Any) -> Any: ...
    def execute_command(self, *args: Any, **options: Any) -> Any: ...
    def keys(self, pattern: bytes | str = ..., **kwargs: Any) -> list[bytes]: ...
    def object(self, infotype: _Text, key: _Text, **kwargs: Any) -> Any: ...
    def wait(self, num_replicas: int, timeout: int, **kwargs: Any) -> int: ...
    def waitaof(self, num_local: int, num_replicas: int, timeout: int, **kwargs: Any) -> list[int]: ...
    def bitcount(
        self,
        key: _Text,
        start: int | None = ...,
        end: int | None = ...,
        mode: _Text | None = ...,
    ) -> int: ...
    def bitfield(self, key: _Text, default_overflow: _Text | None = ...) -> BitFieldOperation: ...
    def bitfield_ro(
        self,
        key: _Text,
        encoding: _Text,
        offset: int | str,
        items: Iterable[tuple[_Text, int | str]] | None = ...,
    ) -> list[int]: ...
    def bitop(self, operation: _Text, dest: _Text, *keys: _Text) -> int: ...
    def bitpos(
        self,
        key: _Text,
        bit: int,
        start: int | None = ...,
        end: int | None = ...,
        mode: _Text | None = ...,
    ) -> int: ...
    def dump(self, name: _Text) -> bytes | None: ...
    def getdel(self, name: _Text) -> bytes | None: ...
    def getex(
        self,
        name: _Text,
        ex: int | timedelta | None = ...,
        px: int | timedelta | None = ...,
        exat: int | datetime | None = ...,
        pxat: int | datetime | None = ...,
        persist: bool = ...,
    ) -> bytes | None: ...
    def getbit(self, name: _Text, offset: int) -> int: ...
    def getrange(self, key: _Text, start: int, end: int) -> bytes: ...
    def getset(self, name: _Text, value: _Value) -> bytes | None: ...
    def incrbyfloat(self, name: _Text, amount: float = ...) -> float: ...
    def lmove(
        self,
        first_list: _Text,
        second_list: _Text,
        src: _Text = ...,
        dest: _Text = ...,
    ) -> bytes | None: ...
    def blmove(
        self,
        first_list: _Text,
        second_list: _Text,
        timeout: int,
        src: _Text = ...,
        dest: _Text = ...,
    ) -> bytes | None: ...
    def msetnx(self, mapping: Mapping[Any, _Value]) -> bool: ...
    def move(self, name: _Text, db: int) -> bool: ...
    def hrandfield(self, key: _Text, count: int | None = ..., withvalues: bool = ...) -> Any: ...
    def restore(
        self,
        name: _Text,
        ttl: float,
        value: _Value,
        replace: bool = ...,
        absttl: bool = ...,
        idletime: int | None = ...,
        frequency: int | None = ...,
    ) -> bytes: ...
    def setbit(self, name: _Text, offset: int, value: int) -> int: ...
    def substr(self, name: _Text, start: int, end: int = ...) -> bytes: ...
    def touch(self, *args: _Text) -> int: ...
    def type(self, name: _Text) -> bytes: ...
    def lcs(
        self,
        key1: _Text,
        key2: _Text,
        len: bool | None = ...,
        idx: bool | None = ...,
        minmatchlen: int | None = ...,
        withmatchlen: bool | None = ...,
    ) -> Any: ...
    def blpop(
        self,
        keys: _Text | Iterable[_Text],
        timeout: float | None = ...,
    ) -> tuple[bytes, bytes] | None: ...
    def brpop(
        self,
        keys: _Text | Iterable[_Text],
        timeout: float | None = ...,
    ) -> tuple[bytes, bytes] | None: ...
    def brpoplpush(self, src: _Text, dst: _Text, timeout: float | None = ...) -> bytes | None: ...
    def blmpop(
        self,
        timeout: float,
        numkeys: int,
        *args: _Text,
        direction: _Text,
        count: int | None = ...,
    ) -> Any: ...
    def lmpop(self, num_keys: int, *args: _Text, direction: _Text, count: int | None = ...) -> Any: ...
    def linsert(self, name: _Text, where: _Text, refvalue: _Text, value: _Text) -> int: ...
    def lpushx(self, name: _Text, *values: _Value) -> int: ...
    def lrange(self, name: _Text, start: int, end: int) -> list[bytes]: ...
    def lrem(self, name: _Text, count: int, value: _Text) -> int: ...
    def lset(self, name: _Text, index: int, value: _Text) -> bool: ...
    def ltrim(self, name: _Text, start: int, end: int) -> bool: ...
    def rpoplpush(self, src: _Text, dst: _Text) -> bytes | None: ...
    def rpushx(self, name: _Text, *values: _Text) -> int: ...
    def lpos(
        self,
        name: _Text,
        value: _Text,
        rank: int | None = ...,
        count: int | None = ...,
        maxlen: int | None = ...,
    ) -> int | list[int] | None: ...
    def sort(
        self,
        name: _Text,
        start: int | None = ...,
        num: int | None = ...,
        by: _Text | None = ...,
        get: Iterable[_Text] | None = ...,
        desc: bool = ...,
        alpha: bool = ...,
        store: _Text | None = ...,
        groups: bool | None = ...,
    ) -> Any: ...
    def sort_ro(
        self,
        key: _Text,
        start: int | None = ...,
        num: int | None = ...,
        by: _Text | None = ...,
        get: Iterable[_Text] | None = ...,
        desc: bool = ...,
        alpha: bool = ...,
    ) -> list[bytes]: ...
    def scan(
        self,
        cursor: int = ...,
        match: _Text | None = ...,
        count: int | None = ...,
        _type: _Text | None = ...,
        **kwargs: Any,
    ) -> tuple[int, list[bytes]]: ...
    def sscan(
        self,
        name: _Text,
        cursor: int = ...,
        match: _Text | None = ...,
        count: int | None = ...,
    ) -> tuple[int, list[bytes]]: ...
    def sscan_iter(
        self,
        name: _Text,
        match: _Text | None = ...,
        count: int | None = ...,
    ) -> Iterator[bytes]: ...
    def hscan(
        self,
        name: _Text,
        cursor: int = ...,
        match: _Text | None = ...,
        count: int | None = ...,
        no_values: bool | None = ...,
    ) -> tuple[int, dict[bytes, bytes]]: ...
    def hscan_iter(
        self,
        name: _Text,
        match: _Text | None = ...,
        count: int | None = ...,
        no_values: bool | None = ...,
    ) -> Iterator[tuple[bytes, bytes]]: ...
    def zscan(
        self,
        name: _Text,
        cursor: int = ...,
        match: _Text | None = ...,
        count: int | None = ...,
        score_cast_func: Callable[[Any], Any] | Callable[..., Any] = ...,
    ) -> tuple[int, list[tuple[bytes, float]]]: ...
    def zscan_iter(
        self,
        name: _Text,
        match: _Text | None = ...,
        count: int | None = ...,
        score_cast_func: Callable[[Any], Any] | Callable[..., Any] = ...,
    ) -> Iterator[tuple[bytes, float]]: ...
    def sdiff(self, keys: Iterable[Any], *args: Iterable[Any]) -> set[bytes]: ...
    def sdiffstore(self, dest: _Text, keys: Iterable[Any], *args: Iterable[Any]) -> int: ...
    def sinter(self, keys: Iterable[Any], *args: Iterable[Any]) -> set[bytes]: ...
    def sintercard(self, numkeys: int, keys: Iterable[_Text], limit: int = ...) -> int: ...
    def sinterstore(self, dest: _Text, keys: Iterable[Any], *args: Iterable[Any]) -> int: ...
    def smembers(self, name: _Text) -> set[bytes]: ...
    def smismember(self, name: _Text, values: Iterable[Any], *args: Iterable[Any]) -> list[int]: ...
    def smove(self, src: _Text, dst: _Text, value: _Text) -> bool: ...
    def spop(self, name: _Text, count: int | None = ...) -> bytes | set[bytes] | None: ...
    def srandmember(self, name: _Text, number: int | None = ...) -> bytes | list[bytes] | None: ...
    def sunion(self, keys: Iterable[Any], *args: Iterable[Any]) -> set[bytes]: ...
    def sunionstore(self, dest: _Text, keys: Iterable[Any], *args: Iterable[Any]) -> int: ...
    def xack(self, name: _Text, groupname: _Text, *ids: _StreamId) -> int: ...
    def xackdel(
        self,
        name: _Text,
        groupname: _Text,
        *ids: _StreamId,
        ref_policy: Literal['KEEPREF', 'DELREF', 'ACKED'] = ...,
    ) -> int: ...
    def xadd(
        self,
        name: _Text,
        fields: Mapping[Any, _Value],
        id: _StreamId = ...,
        maxlen: int | None = ...,
        approximate: bool = ...,
        nomkstream: bool = ...,
        minid: _StreamId | None = ...,
        limit: int | None = ...,
        ref_policy: Literal['KEEPREF', 'DELREF', 'ACKED'] | None = ...,
        idmpauto: _Text | None = ...,
        idmp: tuple[_Text, bytes] | None = ...,
    ) -> bytes: ...
    def xautoclaim(
        self,
        name: _Text,
        groupname: _Text,
        consumername: _Text,
        min_idle_time: int,
        start_id: _StreamId = ...,
        count: int | None = ...,
        justid: bool = ...,
    ) -> list[Any]: ...
    def xclaim(
        self,
        name: _Text,
        groupname: _Text,
        consumername: _Text,
        min_idle_time: int,
        message_ids: Iterable[_StreamId] | Iterable[_StreamId],
        idle: int | None = ...,
        time: int | None = ...,
        retrycount: int | None = ...,
        force: bool = ...,
        justid: bool = ...,
    ) -> Any: ...
    def xdel(self, name: _Text, *ids: _StreamId) -> int: ...
    def xdelex(
        self,
        name: _Text,
        *ids: _StreamId,
        ref_policy: Literal['KEEPREF', 'DELREF', 'ACKED'] = ...,
    ) -> int: ...
    def xgroup_create(
        self,
        name: _Text,
        groupname: _Text,
        id: _StreamId = ...,
        mkstream: bool = ...,
        entries_read: int | None = ...,
    ) -> bool: ...
    def xgroup_delconsumer(self, name: _Text, groupname: _Text, consumername: _Text) -> int: ...
    def xgroup_destroy(self, name: _Text, groupname: _Text) -> bool: ...
    def xgroup_createconsumer(self, name: _Text, groupname: _Text, consumername: _Text) -> int: ...
    def xgroup_setid(
        self,
        name: _Text,
        groupname: _Text,
        id: _StreamId,
        entries_read: int | None = ...,
    ) -> bool: ...
    def xinfo_consumers(self, name: _Text, groupname: _Text) -> list[dict[str, Any]]: ...
    def xinfo_groups(self, name: _Text) -> list[dict[str, Any]]: ...
    def xinfo_stream(self, name: _Text, full: bool = ...) -> dict[str, Any]: ...
    def xlen(self, name: _Text) -> int: ...
    def xpending(self, name: _Text, groupname: _Text) -> dict[str, Any]: ...
    def xpending_range(
        self,
        name: _Text,
        groupname: _Text,
        min: _StreamId,
        max: _StreamId,
        count: int,
        consumername: _Text | None = ...,
        idle: int | None = ...,
    ) -> list[dict[str, Any]]: ...
    def xrange(
        self,
        name: _Text,
        min: _StreamId = ...,
        max: _StreamId = ...,
        count: int | None = ...,
    ) -> list[tuple[bytes, dict[bytes, bytes]]] | None: ...
    def xread(
        self,
        streams: Mapping[Any, _StreamId],
        count: int | None = ...,
        block: int | None = ...,
        max_count: int | None = ...,
        max_size: int | None = ...,
    ) -> Any: ...
    def xreadgroup(
        self,
        groupname: _Text,
        consumername: _Text,
        streams: Mapping[Any, _StreamId],
        count: int | None = ...,
        block: int | None = ...,
        noack: bool = ...,
        claim_min_idle_time: int | None = ...,
        max_count: int | None = ...,
        max_size: int | None = ...,
    ) -> Any: ...
    def xrevrange(
        self,
        name: _Text,
        max: _StreamId = ...,
        min: _StreamId = ...,
        count: int | None = ...,
    ) -> list[tuple[bytes, dict[bytes, bytes]]] | None: ...
    def xtrim(
        self,
        name: _Text,
        maxlen: int | None = ...,
        approximate: bool = ...,
        minid: _StreamId | None = ...,
        limit: int | None = ...,
        ref_policy: Literal['KEEPREF', 'DELREF', 'ACKED'] | None = ...,
    ) -> int: ...
    def zcount(self, name: _Text, min: float | str, max: float | str) -> int: ...
    def zdiff(self, keys: _Text | Iterable[_Text], withscores: bool = ...) -> list[Any]: ...
    def zdiffstore(self, dest: _Text, keys: _Text | Iterable[_Text]) -> int: ...
    def zincrby(self, name: _Text, amount: float, value: _Value) -> float | None: ...
    def zinter(
        self,
        keys: _Text | Iterable[_Text],
        aggregate: _Text | None = ...,
        withscores: bool = ...,
    ) -> list[Any]: ...
    def zinterstore(
        self,
        dest: _Text,
        keys: Iterable[_Text] | Mapping[Any, float],
        aggregate: _Text | None = ...,
    ) -> int: ...
    def zintercard(self, numkeys: int, keys: Iterable[_Text], limit: int = ...) -> int: ...
    def zlexcount(self, name: _Text, min: _Value, max: _Value) -> int: ...
    def zpopmax(self, name: _Text, count: int | None = ...) -> list[Any]: ...
    def zpopmin(self, name: _Text, count: int | None = ...) -> list[Any]: ...
    def zrandmember(self, key: _Text, count: int | None = ..., withscores: bool = ...) -> Any: ...
    def bzpopmax(
        self,
        keys: _Text | Iterable[_Text],
        timeout: float = ...,
    ) -> tuple[bytes, bytes, float] | None: ...
    def bzpopmin(
        self,
        keys: _Text | Iterable[_Text],
        timeout: float = ...,
    ) -> tuple[bytes, bytes, float] | None: ...
    def zmpop(
        self,
        num_keys: int,
        keys: Iterable[_Text],
        min: bool | None = ...,
        max: bool | None = ...,
        count: int | None = ...,
    ) -> Any: ...
    def bzmpop(
        self,
        timeout: float,
        numkeys: int,
        keys: Iterable[_Text],
        min: bool | None = ...,
        max: bool | None = ...,
        count: int | None = ...,
    ) -> Any: ...
    def zrange(
        self,
        name: _Text,
        start: _Value,
        end: _Value,
        desc: bool = ...,
        withscores: bool = ...,
        score_cast_func: Callable[[Any], Any] | Callable[..., Any] = ...,
        byscore: bool = ...,
        bylex: bool = ...,
        offset: int | None = ...,
        num: int | None = ...,
    ) -> list[Any]: ...
    def zrevrange(
        self,
        name: _Text,
        start: int,
        end: int,
        withscores: bool = ...,
        score_cast_func: Callable[[Any], Any] | Callable[..., Any] = ...,
    ) -> list[Any]: ...
    def zrangestore(
        self,
        dest: _Text,
        name: _Text,
        start: _Value,
        end: _Value,
        byscore: bool = ...,
        bylex: bool = ...,
        desc: bool = ...,
        offset: int | None = ...,
        num: int | None = ...,
    ) -> int: ...
    def zrangebylex(
        self,
        name: _Text,
        min: _Value,
        max: _Value,
        start: int | None = ...,
        num: int | None = ...,
    ) -> list[bytes]: ...
    def zrevrangebylex(
        self,
        name: _Text,
        max: _Value,
        min: _Value,
        start: int | None = ...,
        num: int | None = ...,
    ) -> list[bytes]: ...
    def zrangebyscore(
        self,
        name: _Text,
        min: float | str,
        max: float | str,
        start: int | None = ...,
        num: int | None = ...,
        withscores: bool = ...,
        score_cast_func: Callable[[Any], Any] | Callable[..., Any] = ...,
    ) -> list[Any]: ...
    def zrevrangebyscore(
        self,
        name: _Text,
        max: float | str,
        min: float | str,
        start: int | None = ...,
        num: int | None = ...,
        withscores: bool = ...,
        score_cast_func: Callable[[Any], Any] | Callable[..., Any] = ...,
    ) -> list[Any]: ...
    def zrank(
        self,
        name: _Text,
        value: _Value,
        withscore: bool = ...,
        score_cast_func: Callable[[Any], Any] | Callable[..., Any] = ...,
    ) -> int | list[Any] | None: ...
    def zremrangebylex(self, name: _Text, min: _Value, max: _Value) -> int: ...
    def zremrangebyrank(self, name: _Text, min: int, max: int) -> int: ...
    def zremrangebyscore(self, name: _Text, min: float | str, max: float | str) -> int: ...
    def zrevrank(
        self,
        name: _Text,
        value: _Value,
        withscore: bool = ...,
        score_cast_func: Callable[[Any], Any] | Callable[..., Any] = ...,
    ) -> int | list[Any] | None: ...
    def zunion(
        self,
        keys: Iterable[_Text] | Mapping[Any, float],
        aggregate: _Text | None = ...,
        withscores: bool = ...,
        score_cast_func: Callable[[Any], Any] | Callable[..., Any] = ...,
    ) -> list[Any]: ...
    def zunionstore(
        self,
        dest: _Text,
        keys: Iterable[_Text] | Mapping[Any, float],
        aggregate: _Text | None = ...,
    ) -> int: ...
    def zmscore(self, key: _Text, members: Iterable[_Text]) -> list[float | None]: ...
    def pfadd(self, name: _Text, *values: _Value) -> int: ...
    def pfcount(self, *sources: _Text) -> int: ...
    def pfmerge(self, dest: _Text, *sources: _Text) -> bool: ...
    def hgetall(self, name: _Text) -> dict[bytes, bytes]: ...
    def hgetdel(self, name: _Text, *keys: _Value) -> list[bytes | None]: ...
    def hgetex(
        self,
        name: _Text,
        *keys: _Value,
        ex: int | timedelta | None = ...,
        px: int | timedelta | None = ...,
        exat: int | datetime | None = ...,
        pxat: int | datetime | None = ...,
        persist: bool = ...,
    ) -> list[bytes | None]: ...
    def hincrby(self, name: _Text, key: _Value, amount: int = ...) -> int: ...
    def hincrbyfloat(self, name: _Text, key: _Value, amount: float = ...) -> float: ...
    def hkeys(self, name: _Text) -> list[bytes]: ...
    def hsetex(
        self,
        name: _Text,
        key: _Value | None = ...,
        value: _Value | None = ...,
        mapping: Mapping[Any, _Value] | None = ...,
        items: Iterable[_Value] | None = ...,
        ex: int | timedelta | None = ...,
        px: int | timedelta | None = ...,
        exat: int | datetime | None = ...,
        pxat: int | datetime | None = ...,
        data_persist_option: Any | None = ...,
        keepttl: bool = ...,
    ) -> int: ...
    def hsetnx(self, name: _Text, key: _Value, value: _Value) -> int: ...
    def hmset(self, name: _Text, mapping: Mapping[Any, _Value]) -> bool: ...
    def hmget(self, name: _Text, keys: _Value | Iterable[_Value], *args: _Value) -> list[bytes | None]: ...
    def hvals(self, name: _Text) -> list[bytes]: ...
    def hstrlen(self, name: _Text, key: _Value) -> int: ...
    def hexpire(
        self,
        name: _Text,
        seconds: int | timedelta,
        *fields: _Value,
        nx: bool = ...,
        xx: bool = ...,
        gt: bool = ...,
        lt: bool = ...,
    ) -> list[int]: ...
    def hpexpire(
        self,
        name: _Text,
        milliseconds: int | timedelta,
        *fields: _Value,
        nx: bool = ...,
        xx: bool = ...,
        gt: bool = ...,
        lt: bool = ...,
    ) -> list[int]: ...
    def hexpireat(
        self,
        name: _Text,
        unix_time_seconds: int | datetime,
        *fields: _Value,
        nx: bool = ...,
        xx: bool = ...,
        gt: bool = ...,
        lt: bool = ...,
    ) -> list[int]: ...
    def hpexpireat(
        self,
        name: _Text,
        unix_time_milliseconds: int | datetime,
        *fields: _Value,
        nx: bool = ...,
        xx: bool = ...,
        gt: bool = ...,
        lt: bool = ...,
    ) -> list[int]: ...
    def hpersist(self, name: _Text, *fields: _Value) -> list[int]: ...
    def hexpiretime(self, key: _Text, *fields: _Value) -> list[int]: ...
    def hpexpiretime(self, key: _Text, *fields: _Value) -> list[int]: ...
    def httl(self, key: _Text, *fields: _Value) -> list[int]: ...
    def hpttl(self, key: _Text, *fields: _Value) -> list[int]: ...
    def geoadd(
        self,
        name: _Text,
        values: Iterable[_Value],
        nx: bool = ...,
        xx: bool = ...,
        ch: bool = ...,
    ) -> int: ...
    def geodist(
        self,
        name: _Text,
        place1: _Value,
        place2: _Value,
        unit: _Text | None = ...,
    ) -> float | None: ...
    def geohash(self, name: _Text, *values: _Value) -> list[bytes | None]: ...
    def geopos(self, name: _Text, *values: _Value) -> list[tuple[float, float] | None]: ...
    def georadius(
        self,
        name: _Text,
        longitude: float,
        latitude: float,
        radius: float,
        unit: _Text | None = ...,
        withdist: bool = ...,
        withcoord: bool = ...,
        withhash: bool = ...,
        count: int | None = ...,
        sort: _Text | None = ...,
        store: _Text | None = ...,
        store_dist: _Text | None = ...,
        any: bool = ...,
    ) -> Any: ...
    def georadiusbymember(
        self,
        name: _Text,
        member: _Value,
        radius: float,
        unit: _Text | None = ...,
        withdist: bool = ...,
        withcoord: bool = ...,
        withhash: bool = ...,
        count: int | None = ...,
        sort: _Text | None = ...,
        store: _Text | None = ...,
        store_dist: _Text | None = ...,
        any: bool = ...,
    ) -> Any: ...
    def geosearch(
        self,
        name: _Text,
        member: _Value | None = ...,
        longitude: float | None = ...,
        latitude: float | None = ...,
        unit: _Text = ...,
        radius: float | None = ...,
        width: float | None = ...,
        height: float | None = ...,
        sort: _Text | None = ...,
        count: int | None = ...,
        any: bool = ...,
        withcoord: bool = ...,
        withdist: bool = ...,
        withhash: bool = ...,
    ) -> Any: ...
    def geosearchstore(
        self,
        dest: _Text,
        name: _Text,
        member: _Value | None = ...,
        longitude: float | None = ...,
        latitude: float | None = ...,
        unit: _Text = ...,
        radius: float | None = ...,
        width: float | None = ...,
        height: float | None = ...,
        sort: _Text | None = ...,
        count: int | None = ...,
        any: bool = ...,
        storedist: bool = ...,
    ) -> int: ...
