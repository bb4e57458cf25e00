"""Private RabbitMQ and PostgreSQL servers for the tests, on loopback."""

import contextlib
import os
import pathlib
import signal
import subprocess

SCRIPTS = pathlib.Path(__file__).resolve().parents[2] / "scripts"


class Server:
    """A server of scripts/private-*; it keeps its port and its data when it is restarted."""

    def __init__(self, kind, folder, standby_of=None, **variables):
        self.kind = kind
        self.folder = folder
        self.standby_of = standby_of  # a PostgreSQL's URL
        self.variables = variables  # of its environment
        self.port = 0
        self.url = None

    def start(self):
        how = ["standby"] if self.standby_of else ["start"]
        of = [self.standby_of] if self.standby_of else []
        self.url = self._run(*how, str(self.port), *of, str(os.getpid())).strip()
        self.port = int(self.url.rsplit(":", 1)[1].split("/")[0])
        return self

    def stop(self):
        self._run("stop")

    def kill(self):
        """SIGKILL, after the queues are synced to disk: RabbitMQ loses those just declared."""
        if self.kind == "rabbitmq":
            self.evaluate("mnesia:sync_log()")
        self._run("kill")

    def vanish(self):
        """Kills all its processes at once (SIGKILL), as if the machine were lost."""
        signal_all(self._freeze(), signal.SIGKILL)

    @contextlib.contextmanager
    def frozen(self):
        """Stops all its processes (SIGSTOP), and continues them at the end."""
        processes = self._freeze()
        try:
            yield
        finally:
            signal_all(processes, signal.SIGCONT)

    @contextlib.contextmanager
    def memory_alarm(self):
        """RabbitMQ takes no messages until the end of the block."""
        try:
            self._set_memory("0.0000001")
            yield
        finally:  # else all later tests on this broker would block
            self.end_memory_alarm()

    def end_memory_alarm(self):
        self._set_memory("0.4")

    def _set_memory(self, share):
        self.evaluate(f"vm_memory_monitor:set_vm_memory_high_watermark({share})")

    def _freeze(self):
        return freeze([int((self.folder / f"{self.kind}.pid").read_text().split()[0])])

    def control(self, *command):
        """Runs rabbitmqctl."""
        return self._run("ctl", *command)

    def evaluate(self, expression):
        """Evaluates Erlang in the broker."""
        return self._run("eval", expression).strip()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self._run("kill")  # its data is not needed any more

    def _run(self, action, *arguments):
        script = SCRIPTS / f"private-{self.kind}"
        done = subprocess.run(
            [script, action, self.folder, *arguments],
            env=os.environ | self.variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            timeout=600,
        )
        assert done.returncode == 0, f"{script.name} {action}: {done.stderr}"
        return done.stdout


def freeze(processes):
    """Stops these processes and all their descendants (SIGSTOP), and returns their ids. Parents come
    first, so that they cannot start more children."""
    found = list(processes)
    for process in found:
        signal_all([process], signal.SIGSTOP)
        for task in pathlib.Path(f"/proc/{process}/task").glob("*/children"):
            with contextlib.suppress(OSError):  # it may have just ended
                found += map(int, task.read_text().split())
    return found


def signal_all(processes, number):
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, number)
