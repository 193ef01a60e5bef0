"""Runs fuzzers, each in a process of its own, so that a crash is a finding like any other.

python -m tests.fuzz smoke               every fuzzer for some seconds; canaries must fail
python -m tests.fuzz long                every fuzzer for ten minutes
python -m tests.fuzz NAME --seconds 60   one fuzzer
python -m tests.fuzz NAME --seed 7 --case 12345   one case again
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time

from tests.fuzz.registry import REGISTRY, Entry, new_seed, random_of_case

SMOKE_SECONDS = 5.0
LONG_SECONDS = 600.0
HANG_SECONDS = 60.0


def child(entry: Entry, seed: int, seconds: float, progress: int) -> None:
    """Run cases until the time is over or one raises; `progress` holds the number of the case under way."""
    fuzzer = entry.load()
    end = time.monotonic() + seconds
    case = 0
    while time.monotonic() < end:
        os.pwrite(progress, case.to_bytes(8, "little"), 0)
        fuzzer(random_of_case(seed, case))
        case += 1


def run(entry: Entry, seed: int, seconds: float) -> bool:
    """Run one fuzzer; return whether it did what it should: canaries fail, all others do not."""
    with tempfile.TemporaryFile() as progress, tempfile.TemporaryFile() as output:
        command = [sys.executable, "-X", "faulthandler", "-m", "tests.fuzz", entry.name, "--child"]
        command += ["--seed", str(seed), "--seconds", str(seconds), "--progress", str(progress.fileno())]
        try:
            status = subprocess.run(
                command,
                stdout=output,
                stderr=subprocess.STDOUT,
                pass_fds=[progress.fileno()],
                timeout=seconds + HANG_SECONDS,
                check=False,
            ).returncode
            end = f"signal {signal.Signals(-status).name}" if status < 0 else f"status {status}"
        except subprocess.TimeoutExpired:
            status, end = 1, f"no end after {HANG_SECONDS:.0f} s more than it had"
        progress.seek(0)
        output.seek(0)
        case = int.from_bytes(progress.read(8), "little")
        text = output.read().decode(errors="replace")

    failed = status != 0
    as_wanted = failed == entry.must_fail
    if failed:
        print(f"{entry.name}: case {case:,} fails ({end})" + (", as it must" if entry.must_fail else ""))
    else:
        print(f"{entry.name}: {case + 1:,} cases" + (": IT MUST FAIL AND DID NOT" if entry.must_fail else ""))
    if not as_wanted:
        print(text)
        print(f"Again: python -m tests.fuzz {entry.name} --seed {seed} --case {case}")
    return as_wanted


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzz", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["smoke", "long", *sorted(REGISTRY)])
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--seconds", type=float, default=None, help="for each fuzzer")
    parser.add_argument("--case", type=int, default=None, help="run only this case, in this process")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--progress", type=int, default=None, help=argparse.SUPPRESS)
    arguments = parser.parse_args()

    seed = new_seed() if arguments.seed is None else arguments.seed
    if arguments.what in REGISTRY:
        entries = [REGISTRY[arguments.what]]
    else:
        entries = list(REGISTRY.values())
    seconds = arguments.seconds or (LONG_SECONDS if arguments.what == "long" else SMOKE_SECONDS)

    if arguments.child:
        child(entries[0], seed, seconds, arguments.progress)
        return 0
    if arguments.case is not None:
        entries[0].load()(random_of_case(seed, arguments.case))
        return 0
    print(f"seed {seed}, {seconds:g} s each")
    results = [run(entry, seed, seconds) for entry in entries]  # all of them, also after a failure
    return 0 if all(results) else 1


if __name__ == "__main__":
    raise SystemExit(main())
