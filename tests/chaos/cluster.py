"""Three RabbitMQ nodes in one cluster, on loopback."""

import concurrent.futures
import contextlib
import secrets
import socket
import subprocess

from servers import Server
from waiting import wait_for

NAMES = ["one", "two", "three"]
WHOLE_S = 180  # on a machine that is very busy


class Cluster:
    def __init__(self, folder):
        self.epmd_port = _free_port()
        self.nodes = [
            Server(
                "rabbitmq",
                folder / name,
                ERL_EPMD_PORT=str(self.epmd_port),
                RABBITMQ_NODENAME=f"{name}@127.0.0.1",
            )
            for name in NAMES
        ]
        self.stack = contextlib.ExitStack()

    def __enter__(self):
        with self.stack:
            self._start_epmd()
            cookie = secrets.token_hex(16)
            for name, node in zip(NAMES, self.nodes):
                _configure(node.folder, cookie, name)
            # The others join the first.
            self.stack.enter_context(self.nodes[0])
            with concurrent.futures.ThreadPoolExecutor() as executor:
                list(executor.map(self.stack.enter_context, self.nodes[1:]))
            members = self.nodes[0].control(
                "eval", "length(rabbit_nodes:all_running())."
            )
            assert members.strip() == str(len(NAMES)), f"the cluster has {members} nodes"
            self.stack = self.stack.pop_all()
        return self

    def __exit__(self, *_):
        self.stack.close()

    def part(self, node):
        """Cuts the links between this node and the others, until the returned function is called: each
        side rejects the other's secret."""
        self.wait_until_whole()
        part = (
            "Others = nodes(), [erlang:set_cookie(Other, parted) || Other <- Others],"
            " [erlang:disconnect_node(Other) || Other <- Others], Others"
        )
        others = node.evaluate(part)
        assert others.count("@") == len(NAMES) - 1, f"{others} were not parted"

        def join():
            node.evaluate(f"[erlang:set_cookie(Other, erlang:get_cookie()) || Other <- {others}]")
            self.wait_until_whole()

        return join

    def wait_until_whole(self):
        for node in self.nodes:
            wait_for(
                lambda node=node: self._running(node) == len(NAMES), "all nodes are back", WHOLE_S
            )

    @staticmethod
    def _running(node):
        with contextlib.suppress(AssertionError, ValueError):  # the node has paused
            return int(node.evaluate("length(rabbit_nodes:all_running())"))
        return 0

    def _start_epmd(self):
        epmd = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "epmd", "-address", "127.0.0.1",
             "-port", str(self.epmd_port)],
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        self.stack.callback(epmd.wait)
        self.stack.callback(epmd.kill)
        wait_for(lambda: _listens(self.epmd_port), "epmd")


def _configure(folder, cookie, name):
    folder.mkdir(parents=True)
    cookie_file = folder / ".erlang.cookie"
    cookie_file.touch(mode=0o600)
    cookie_file.write_text(cookie)
    lines = [
        "cluster_formation.peer_discovery_backend = classic_config",
        "cluster_partition_handling = pause_minority",
    ]
    # Each knows the first, which knows only itself: RabbitMQ 4 waits for all nodes that it knows.
    lines += [
        f"cluster_formation.classic_config.nodes.{number} = {known}@127.0.0.1"
        for number, known in enumerate(dict.fromkeys([NAMES[0], name]), 1)
    ]
    (folder / "rabbitmq.conf").write_text("\n".join(lines) + "\n")


def _free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def _listens(port):
    with contextlib.suppress(ConnectionRefusedError):
        with socket.create_connection(("127.0.0.1", port)):
            return True
    return False
