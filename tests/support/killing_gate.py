"""A TCP gate that kills the client process once a number of bytes have passed to the server."""

import contextlib
import socket
import threading
from urllib.parse import urlsplit


class KillingGate:
    """Forwards to the server of `url`. With `kill_after`, the server gets that many bytes from the
    clients, over all links together; then `kill` is called and every link is cut."""

    def __init__(self, url, kill_after=None, kill=None):
        parts = urlsplit(url)
        self.server = (parts.hostname, parts.port)
        self.listener = socket.create_server(("127.0.0.1", 0))
        port = self.listener.getsockname()[1]
        self.url = url.replace(f":{parts.port}", f":{port}")
        self.kill_after = kill_after
        self.kill = kill
        self.passed = 0
        self.lock = threading.Lock()
        self.sockets = []

    def __enter__(self):
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self._cut()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                server = socket.create_connection(self.server)
                self.sockets += [client, server]
                for one, other, counts in ((client, server, True), (server, client, False)):
                    threading.Thread(
                        target=self._forward, args=(one, other, counts), daemon=True
                    ).start()

    def _forward(self, source, target, counts):
        with contextlib.suppress(OSError):
            while data := source.recv(4096):
                if counts:
                    data = self._count(data, target)
                target.sendall(data)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _count(self, data, server):
        with self.lock:
            left = len(data) if self.kill_after is None else self.kill_after - self.passed
            self.passed += len(data)
            if left > len(data) or self.kill_after is None:
                return data
            server.sendall(data[: max(left, 0)])
            self.kill()
            self._cut()
            raise OSError("killed")

    def _cut(self):
        for end in self.sockets:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
