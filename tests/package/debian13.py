"""Runs a command in the checkout as a fresh Debian 13 sees it; needs root:

    python3 tests/package/debian13.py scripts/test unit e2e

The Debian is a folder, build/debian13, which is made the first time and kept, with what was
installed and built in it. To begin anew, remove that folder.
"""

import os
import pathlib
import shutil
import sys

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "support"))

from machine import CHECKOUT, Root, debootstrap  # it needs support/

FOLDER = CHECKOUT / "build/debian13"
AUTHORITIES = pathlib.Path("/usr/local/share/ca-certificates")  # the machine's own, of a proxy
PASSED_ON = ("CHAOS_MINUTES", "CHAOS_SEED", "PYTEST_ADDOPTS")


def root():
    made = FOLDER / "root"
    if not made.exists():
        unfinished = FOLDER / "unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        FOLDER.mkdir(parents=True, exist_ok=True)
        debootstrap("trixie", unfinished)
        if AUTHORITIES.is_dir():
            shutil.copytree(AUTHORITIES, unfinished / str(AUTHORITIES)[1:], dirs_exist_ok=True)
        unfinished.rename(made)
    return Root(made)


def own_folder(name):
    """A folder of the checkout that is another one in there."""
    outside = FOLDER / name.lstrip(".")
    outside.mkdir(parents=True, exist_ok=True)
    return outside, CHECKOUT / name


def main(command):
    if os.getuid() != 0:
        sys.exit("debian13: it needs root")
    binds = [(CHECKOUT, CHECKOUT), own_folder("build"), own_folder(".run")]
    environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    line = root().command(*command, environment=environment, directory=CHECKOUT, binds=binds)
    os.execvp(line[0], line)


if __name__ == "__main__":
    main(sys.argv[1:] or sys.exit(__doc__))
