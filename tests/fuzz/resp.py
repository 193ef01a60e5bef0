"""The parser of requests: bytes that are nearly right, cut anywhere, give what they give in one piece."""

from __future__ import annotations

from itertools import pairwise
from random import Random

from gapless.engine.resp import parse_pieces

PARTS = (
    b"*1\r\n",
    b"*2\r\n",
    b"*3\r\n$3\r\nSET\r\n",
    b"$3\r\nGET\r\n",
    b"$1\r\na\r\n",
    b"$0\r\n\r\n",
    b"*0\r\n",
    b"*-1\r\n",
    b"$-1\r\n",
    b"PING\r\n",
    b"set \"a b\" 'c'\r\n",
    b'"\\x41',
    b"\r\n",
    b"\n",
    b"\r",
    b"$",
    b"*",
    b"\0",
    b"$10\r\nabcdefghij\r\n",
    b"*99999\r\n",
    b"$99999999999\r\n",
    b"*2147483647\r\n",
    b"$536870912\r\n",
    b"*1\r\n$4\r\nPING\r\n",
)


def run_case(random: Random) -> None:
    data = bytearray(b"".join(random.choice(PARTS) for _ in range(random.randrange(1, 24))))
    for _ in range(random.choice((0, 0, 1, 4))):
        data[random.randrange(len(data))] = random.randrange(256)
    authenticated = random.random() < 0.8
    limit = random.choice((512 << 20, 100))
    whole = parse_pieces([bytes(data)], limit, authenticated)
    cuts = sorted({0, len(data), *(random.randrange(len(data)) for _ in range(random.randrange(8)))})
    pieces = [bytes(data[start:end]) for start, end in pairwise(cuts)]
    cut = parse_pieces(pieces, limit, authenticated)
    assert cut[:2] == whole[:2], (bytes(data), cuts, whole, cut)
    if whole[1] is None:
        assert cut == whole, (bytes(data), cuts, whole, cut)
    assert all(request for request in whole[0])
