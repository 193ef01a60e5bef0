"""A writer that is killed: says on standard output what it has done, one line an operation that returned."""

from __future__ import annotations

import json
import os
import random
import sys
import warnings

import gapless


def main(path: str, seed: int) -> None:
    warnings.simplefilter("ignore")
    rng = random.Random(seed)
    number = 0
    with gapless.records(path, also=("v",)) as records:
        os.write(1, b"opened\n")
        while True:
            number += 1
            key = rng.randrange(40)
            action = rng.random()
            if action < 0.6:
                record = {"id": key, "v": seed, "n": number, "pad": "x" * rng.choice((0, 10, 5000))}
                say("append", key, record)
                records.append(record)
            elif action < 0.97:
                say("delete", key, None)
                records.delete(key)
            else:
                say("compact", None, None)
                records.compact()
            os.write(1, b"done\n")


def say(what: str, key: object, record: object) -> None:
    os.write(1, json.dumps([what, key, record]).encode() + b"\n")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
