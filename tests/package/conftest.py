import os
import pathlib
import shutil
import subprocess

import pytest

from machine import BUILD, Root, debootstrap
from servers import Server


@pytest.fixture(scope="session")
def base(folder):
    """A minimal Debian 12 as an archive."""
    assert os.getuid() == 0, "these tests need root: scripts/test asks sudo for it"
    tar = folder / "base.tar"
    debootstrap(tar)
    return tar


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
def new_root(base, tmp_path):
    made = []

    def make():
        made.append(Root(base, tmp_path / f"root{len(made)}"))
        return made[-1]

    return make
