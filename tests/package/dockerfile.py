"""Builds a Dockerfile without Docker: its stages are minimal Debian roots, its RUN lines run in them.
Knows the instructions that ours uses; any other is an error."""

import dataclasses
import glob
import json
import pathlib
import re
import shutil
import subprocess

from machine import CHECKOUT, Root

BASES = {"debian:13": "trixie", "debian:13-slim": "trixie"}


@dataclasses.dataclass
class Stage:
    """A root, and what the instructions have set so far."""

    root: Root
    directory: str = "/"
    user: str | None = None
    environment: dict = dataclasses.field(default_factory=dict)
    entrypoint: list = dataclasses.field(default_factory=list)
    command: list = dataclasses.field(default_factory=list)
    healthcheck: list = dataclasses.field(default_factory=list)
    ports: list = dataclasses.field(default_factory=list)

    def inside(self, *command):
        """A command line that runs `command` as the image would."""
        return self.root.command(
            *command, environment=self.environment, directory=self.directory, user=self.user
        )

    def path(self, path):
        return self.root.file(pathlib.PurePosixPath(self.directory) / path)


def instructions(text):
    """Pairs of an instruction and the rest of its line."""
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    for line in re.sub(r"\\\n\s*", " ", "\n".join(lines)).splitlines():
        yield line.split(maxsplit=1)


def copy_checkout(source, target):
    """The tracked files, which is what .dockerignore leaves of a clean checkout."""
    listed = subprocess.run(
        ["git", "-c", f"safe.directory={CHECKOUT}", "ls-files", "-z", source],
        cwd=CHECKOUT, check=True, capture_output=True, text=True,
    ).stdout
    for name in filter(None, listed.split("\0")):
        to = target / pathlib.PurePosixPath(name).relative_to(source)
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(CHECKOUT / name, to)


def copy(stage, stages, arguments):
    origin = re.fullmatch(r"--from=(\S+) (.*)", arguments)
    source, target = (origin[2] if origin else arguments).split()
    if not origin:
        copy_checkout(source, stage.path(target))
        return
    found = glob.glob(str(stages[origin[1]].root.file(source)))
    assert found, f"COPY finds nothing: {arguments}"
    for path in found:
        shutil.copy(path, stage.path(target))


def build(dockerfile, new_root):
    """Runs the instructions; returns the last stage."""
    stages = {}
    stage = None
    for name, rest in instructions(dockerfile.read_text()):
        if name == "FROM":
            image, *alias = rest.split(" AS ")
            assert image in BASES, f"only these can be built on: {', '.join(BASES)}"
            stage = stages[alias[0] if alias else "last"] = Stage(new_root(BASES[image]))
        elif name == "RUN":
            done = subprocess.run(
                stage.inside("sh", "-c", rest),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            assert done.returncode == 0, f"RUN {rest}:\n{done.stdout[-4000:]}"
        elif name == "COPY":
            copy(stage, stages, rest)
        elif name == "WORKDIR":
            stage.directory = rest
            stage.root.file(rest).mkdir(parents=True, exist_ok=True)
        elif name == "USER":
            stage.user = rest
        elif name == "ENV":
            stage.environment |= dict([rest.split("=", 1)])
        elif name == "EXPOSE":
            stage.ports.append(int(rest))
        elif name == "VOLUME":
            assert stage.root.file(rest).is_dir(), f"there is no {rest}"
        elif name == "HEALTHCHECK":
            stage.healthcheck = json.loads(rest.split(" CMD ", 1)[1])
        elif name == "ENTRYPOINT":
            stage.entrypoint = json.loads(rest)
        elif name == "CMD":
            stage.command = json.loads(rest)
        else:
            raise AssertionError(f"an instruction that is not known here: {name}")
    return stage
