"""The RabbitMQ and PostgreSQL that the tests run against: their own, on loopback."""

import os
import pathlib
import subprocess

SCRIPTS = pathlib.Path(__file__).resolve().parents[2] / "scripts"


class Server:
    """A server of scripts/private-*; it keeps its port and its data when it is started again."""

    def __init__(self, kind, folder):
        self.script = SCRIPTS / f"private-{kind}"
        self.folder = folder
        self.port = 0
        self.url = None

    def start(self):
        self.url = self._run("start", str(self.port), str(os.getpid())).strip()
        self.port = int(self.url.rsplit(":", 1)[1].split("/")[0])
        return self

    def stop(self):
        self._run("stop")

    def kill(self):
        self._run("kill")

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.kill()  # nobody wants its data any more

    def _run(self, action, *arguments):
        done = subprocess.run(
            [self.script, action, self.folder, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, f"{self.script.name} {action}: {done.stderr}"
        return done.stdout
