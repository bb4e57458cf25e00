"""Three PostgreSQL servers under Patroni with etcd, behind HAProxy, as in deploy/patroni."""

import contextlib
import functools
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import urllib.request

import psycopg2
import yaml

from gate import Gate
from servers import freeze, signal_all
from waiting import wait_for

EXAMPLES = pathlib.Path(__file__).resolve().parents[2] / "deploy/patroni"
NAMES = ["db1", "db2", "db3"]
STARTED_S = 180  # for the whole cluster, on a very busy machine
LAST_LINES = 40  # of each log, if a test fails


@functools.cache
def _api_of_etcd():
    """By which Patroni may use etcd, as deploy/patroni/patroni.yml says: up to 3.0.2 not etcd3."""
    said = subprocess.run(["patroni", "--version"], check=True, capture_output=True, text=True).stdout
    version = tuple(map(int, re.search(r"(\d+)\.(\d+)\.(\d+)", said).groups()))
    return "etcd3" if version >= (3, 0, 3) else "etcd"


def _free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


class Process:
    """A program that is killed when this one ends."""

    def __init__(self, folder, name, command, user=None):
        as_user = ["--reuid", user, "--regid", user, "--init-groups"] if user else []
        self.command = ["setpriv", "--pdeathsig", "KILL", *as_user, *map(str, command)]
        self.folder = folder
        self.log = folder / f"{name}.log"

    def start(self):
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder
            )
        return self

    def kill(self):
        self.process.kill()
        self.process.wait()

    def last_words(self):
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-LAST_LINES:])


class Etcd:
    def __init__(self, folder):
        folder.mkdir()
        self.client_ports = [_free_port() for _ in NAMES]
        peers = {name: f"http://127.0.0.1:{_free_port()}" for name in NAMES}
        self.members = []
        for name, port in zip(NAMES, self.client_ports):
            url = f"http://127.0.0.1:{port}"
            command = [
                "etcd", "--name", name, "--data-dir", folder / name, "--initial-cluster-state", "new",
                "--initial-cluster", ",".join(f"{peer}={address}" for peer, address in peers.items()),
                "--initial-advertise-peer-urls", peers[name], "--listen-peer-urls", peers[name],
                "--advertise-client-urls", url, "--listen-client-urls", url,
                *(["--enable-v2"] if _api_of_etcd() == "etcd" else []),
            ]  # fmt: skip
            self.members.append(Process(folder, name, command))

    def leading_member(self):
        """None while there is no leader."""
        for member, port in zip(self.members, self.client_ports):
            with contextlib.suppress(OSError, ValueError):
                status = _request(f"http://127.0.0.1:{port}/v3/maintenance/status", {})
                if status.get("leader") == status["header"]["member_id"]:
                    return member
        return None


def _request(url, body=None):
    """Returns the response, as JSON or as text."""
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(url, data, timeout=60) as response:
        text = response.read()
    with contextlib.suppress(ValueError):
        return json.loads(text)
    return text


class Member:
    """A machine with Patroni and the PostgreSQL that it starts."""

    def __init__(self, folder, name, etcd_ports):
        self.name = name
        self.folder = folder
        self.port, self.api_port = _free_port(), _free_port()
        self.gates = [Gate(port) for port in etcd_ports]  # its links to etcd
        folder.mkdir()
        user = None
        if os.getuid() == 0:  # PostgreSQL refuses to run as root
            user = "postgres"
            shutil.chown(folder, user, user)
        self.patroni = Process(folder, "patroni", ["patroni", folder / "patroni.yml"], user)

    def configure(self, members):
        settings = yaml.safe_load((EXAMPLES / "patroni.yml").read_text())
        settings["name"] = self.name
        for part, port in (("restapi", self.api_port), ("postgresql", self.port)):
            settings[part]["listen"] = settings[part]["connect_address"] = f"127.0.0.1:{port}"
        gates = [f"127.0.0.1:{gate.port}" for gate in self.gates]
        del settings["etcd3"]
        settings[_api_of_etcd()] = {"hosts": gates, "use_proxies": True}
        postgresql = settings["postgresql"]
        postgresql["data_dir"] = str(self.folder / "data")
        postgresql["bin_dir"] = str(max(pathlib.Path("/usr/lib/postgresql").glob("*/bin")))
        postgresql["pg_hba"] = ["host replication all 127.0.0.1/32 trust", "host all all 127.0.0.1/32 trust"]
        postgresql["pgpass"] = str(self.folder / "pgpass")
        postgresql["parameters"] = {"unix_socket_directories": ""}
        settings["watchdog"]["mode"] = "off"  # it would reset this machine
        (self.folder / "patroni.yml").write_text(yaml.safe_dump(settings))

    def _freeze(self):
        """Stops Patroni and PostgreSQL, which is not a child of Patroni."""
        processes = [self.patroni.process.pid]
        with contextlib.suppress(OSError, IndexError, ValueError):  # it is not running
            processes.append(int((self.folder / "data/postmaster.pid").read_text().split()[0]))
        return freeze(processes)

    def vanish(self):
        signal_all(self._freeze(), signal.SIGKILL)
        self.patroni.process.wait()

    @contextlib.contextmanager
    def frozen(self):
        processes = self._freeze()
        try:
            yield
        finally:
            signal_all(processes, signal.SIGCONT)

    def is_leader(self):
        with contextlib.suppress(OSError):
            url = f"http://127.0.0.1:{self.api_port}/primary"  # 503: it is not the leader
            with urllib.request.urlopen(url, timeout=5):
                return True
        return False

    def cluster(self):
        """What its Patroni knows about all members."""
        return _request(f"http://127.0.0.1:{self.api_port}/cluster")["members"]

    def takes_writes(self):
        """Whether PostgreSQL takes writes, whatever Patroni says."""
        with contextlib.suppress(psycopg2.OperationalError):
            url = f"postgresql://postgres@127.0.0.1:{self.port}/postgres?connect_timeout=10"
            with contextlib.closing(psycopg2.connect(url)) as connection:
                with connection.cursor() as cursor:
                    cursor.execute("SELECT NOT pg_is_in_recovery()")
                    return cursor.fetchone()[0]
        return False


class PatroniCluster:
    def __init__(self, folder):
        folder.mkdir()
        folder.chmod(0o755)
        self.etcd = Etcd(folder / "etcd")
        self.members = [Member(folder / name, name, self.etcd.client_ports) for name in NAMES]
        self.proxy_port = _free_port()
        (folder / "haproxy.cfg").write_text(self._proxy_settings())
        self.proxy = Process(folder, "haproxy", ["haproxy", "-db", "-f", folder / "haproxy.cfg"])
        self.stack = contextlib.ExitStack()
        hosts = ",".join(f"127.0.0.1:{member.port}" for member in self.members)
        self.url = f"postgresql://postgres@{hosts}/postgres?target_session_attrs=read-write"
        self.proxy_url = f"postgresql://postgres@127.0.0.1:{self.proxy_port}/postgres"

    def _proxy_settings(self):
        text = (EXAMPLES / "haproxy.cfg").read_text()
        text = text.replace("10.0.0.10:5432", f"127.0.0.1:{self.proxy_port}")
        for member in self.members:
            text, found = re.subn(
                rf"server {member.name} .*$",
                f"server {member.name} 127.0.0.1:{member.port} check port {member.api_port}",
                text,
                flags=re.MULTILINE,
            )
            assert found == 1
        return text

    def __enter__(self):
        with self.stack:
            for process in (*self.etcd.members, self.proxy):
                self.stack.callback(process.kill)
                process.start()
            wait_for(self.etcd.leading_member, "etcd has a leader", STARTED_S)
            for member in self.members:
                for gate in member.gates:
                    self.stack.enter_context(gate)
                member.configure(self.members)
                self.stack.callback(member.vanish)
                member.patroni.start()
            self.wait_until_whole()
            self.stack = self.stack.pop_all()
        return self

    def __exit__(self, failure, *_):
        if failure:
            for process in (*self.etcd.members, *(member.patroni for member in self.members)):
                print(f"{process.log}:\n{process.last_words()}")
        self.stack.close()

    def leader(self):
        leaders = [member for member in self.members if member.is_leader()]
        return leaders[0] if len(leaders) == 1 else None

    def wait_for_leader(self, other_than=None):
        def find():
            leader = self.leader()
            return leader if leader is not other_than else None

        return wait_for(find, "one leader", STARTED_S)

    def wait_until_whole(self):
        """Waits for one leader, which alone takes writes, and two standbys, one synchronous."""
        wait_for(self._is_whole, "a leader with two standbys", STARTED_S)
        writing = [member.name for member in self.members if member.takes_writes()]
        assert len(writing) == 1, f"{writing} take writes"

    def _is_whole(self):
        """According to etcd: only a standby that is synchronous there may become the leader."""
        leader = self.leader()
        with contextlib.suppress(OSError):
            roles = [member["role"] for member in leader.cluster()] if leader else []
            return sorted(roles) == ["leader", "replica", "sync_standby"] and self._replicates()
        return False

    def _replicates(self):
        states = "SELECT sync_state FROM pg_stat_replication WHERE state = 'streaming'"
        with contextlib.suppress(psycopg2.Error):
            with contextlib.closing(psycopg2.connect(self.url)) as connection:
                with connection.cursor() as cursor:
                    cursor.execute(states)
                    return sorted(state for (state,) in cursor.fetchall()) == ["async", "sync"]
        return False

    def switch_over(self):
        """Switches over to the synchronous standby, as `patronictl switchover` does."""
        leader = self.leader()
        (standby,) = (one["name"] for one in leader.cluster() if one["role"] == "sync_standby")
        request = {"leader": leader.name, "candidate": standby}
        _request(f"http://127.0.0.1:{leader.api_port}/switchover", request)
        return leader
