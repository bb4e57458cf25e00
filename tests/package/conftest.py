import functools
import os
import pathlib
import shutil
import subprocess

import pytest

from machine import BUILD, HOST, Root, debootstrap
from servers import Server


@pytest.fixture(scope="session")
def bases(folder):
    """Minimal Debians by codename, as archives that are made when one is wanted first."""
    assert os.getuid() == 0, "these tests need root: scripts/test asks sudo for it"

    @functools.cache
    def base(codename):
        tar = folder / f"{codename}.tar"
        debootstrap(codename, tar)
        return tar

    return base


@pytest.fixture(scope="session")
def package(folder):
    """The .deb that cpack makes of the release build."""
    subprocess.run(["cpack"], cwd=BUILD, check=True, capture_output=True)
    (made,) = BUILD.glob("inventory-service_*.deb")
    return pathlib.Path(shutil.copy(made, folder))


@pytest.fixture(scope="session")
def broker(folder):
    with Server("rabbitmq", folder / "rabbitmq") as server:
        yield server


@pytest.fixture
def new_root(bases, tmp_path):
    """Makes a root of this machine's Debian, or of another."""
    made = []

    def make(codename=HOST):
        folder = tmp_path / f"root{len(made)}"
        folder.mkdir()
        subprocess.run(["tar", "-xf", bases(codename), "-C", folder], check=True)
        made.append(Root(folder))
        return made[-1]

    return make
