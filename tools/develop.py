#!/usr/bin/env python3
"""Build the package in place, incrementally, and make it importable without installing it.

Every flavour has a build directory of its own, `build/FLAVOUR`, and next to it `build/FLAVOUR-site`: a tree
of links to the Python files in `src` and to the compiled modules. With that tree on PYTHONPATH an edited
Python file counts at once and an edited `.pyx` or `.pxd` after the next run of this program. Modules that do
not compile are reported and do not keep the others from being built.

Run it with the Python of an environment that has meson, ninja and Cython.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "gapless"

FLAVOURS: dict[str, list[str]] = {
    "release": ["-Dbuildtype=release"],
    "debug": ["-Dbuildtype=debug", "-Dchecks=true"],
    "asan": [
        "-Dbuildtype=debugoptimized",
        "-Doptimization=1",
        "-Dchecks=true",
        "-Db_sanitize=address,undefined",
        "-Db_lundef=false",
    ],
}

# Not part of the importable package: compiled from, or read by, the build only.
BUILD_ONLY = {".pyx", ".pxd", ".build", ".c", ".h"}


def environment() -> dict[str, str]:
    """The tools of the environment whose Python runs this program come first."""
    env = dict(os.environ)
    env["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), env.get("PATH", "")])
    return env


def run(*command: str) -> int:
    return subprocess.run(command, cwd=ROOT, env=environment(), check=False).returncode


def configure(flavour: str, build: Path) -> None:
    """Set up `build`, or set it up again when .pyx files have come or gone since."""
    stamp = build / "pyx-files.txt"
    pyx_files = "\n".join(sorted(str(path.relative_to(ROOT)) for path in PACKAGE.rglob("*.pyx")))
    configured = (build / "build.ninja").exists()
    if configured and stamp.exists() and stamp.read_text() == pyx_files:
        return
    command = ["meson", "setup", str(build), *FLAVOURS[flavour]]
    if configured:
        command.append("--reconfigure")
    elif build.exists():
        command.append("--wipe")
    if run(*command):
        raise SystemExit("develop: meson setup failed")
    stamp.write_text(pyx_files)


def compiled_modules(build: Path) -> dict[Path, Path]:
    """Where each compiled module belongs in the package -> where it was built. Only those that exist."""
    plan = json.loads((build / "meson-info" / "intro-install_plan.json").read_text())
    modules = {}
    for built, entry in plan.get("targets", {}).items():
        inside = Path(entry["destination"].partition("/")[2])
        if Path(built).exists():
            modules[inside] = Path(built)
        else:
            print(f"develop: {inside} is missing: it did not compile", file=sys.stderr)
    return modules


def link_tree(site: Path, wanted: dict[Path, Path]) -> None:
    for old in list(site.rglob("*")) if site.exists() else []:
        if old.is_symlink() and old.relative_to(site) not in wanted:
            old.unlink()
    for inside, target in wanted.items():
        link = site / inside
        if link.is_symlink() and Path(os.readlink(link)) == target:
            continue
        link.parent.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(target)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("flavour", nargs="?", default="release", choices=sorted(FLAVOURS))
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="compilations at a time")
    arguments = parser.parse_args()

    build = ROOT / "build" / arguments.flavour
    site = ROOT / "build" / f"{arguments.flavour}-site"
    configure(arguments.flavour, build)
    status = run("ninja", "-C", str(build), "-k", "0", "-j", str(arguments.jobs), "--quiet")

    wanted = {
        path.relative_to(PACKAGE.parent): path
        for path in PACKAGE.rglob("*")
        if path.is_file() and path.suffix not in BUILD_ONLY and "__pycache__" not in path.parts
    }
    wanted.update(compiled_modules(build))
    link_tree(site, wanted)
    print(f"export PYTHONPATH={site}")
    return status


if __name__ == "__main__":
    raise SystemExit(main())
