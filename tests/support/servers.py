"""The RabbitMQ and PostgreSQL that the tests run against: their own, on loopback."""

import contextlib
import os
import pathlib
import signal
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

    @contextlib.contextmanager
    def frozen(self):
        """All its processes stand still (SIGSTOP), and go on afterwards."""
        processes = self.processes()
        _signal(processes, signal.SIGSTOP)
        try:
            yield
        finally:
            _signal(processes, signal.SIGCONT)

    def processes(self):
        """Ids of its process and of all that descend from it, parents first."""
        pid_file = self.folder / f"{self.script.name.removeprefix('private-')}.pid"
        found = [int(pid_file.read_text().split()[0])]
        for process in found:
            for task in pathlib.Path(f"/proc/{process}/task").glob("*/children"):
                with contextlib.suppress(OSError):  # it has just ended
                    found += map(int, task.read_text().split())
        return found

    def control(self, *command):
        """rabbitmqctl."""
        return self._run("ctl", *command)

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


def _signal(processes, number):
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, number)
