"""A TCP gate between the service and a server, on loopback: it forwards, and breaks links on demand.

It has a thread with an event loop; the functions of Gate are called from another thread.
"""

import asyncio
import socket
import struct
import threading

UP, DOWN = "to the server", "to the client"


class Gate:
    """Listens on a port that never changes, and forwards to `port`."""

    def __init__(self, port):
        self.server_port = port
        self.links = set()
        self.stalled = False
        self.fuse = None  # (direction, bytes) after which a link is cut
        self.cuts = 0
        self.listener = None
        self.port = 0
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)

    def __enter__(self):
        self.thread.start()
        self.open()
        return self

    def __exit__(self, *_):
        self._do(self._close())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()

    def open(self):
        """Accepts new links again."""
        self._do(self._listen())

    def refuse(self):
        """Refuses new links; existing ones continue."""
        self._do(self._stop_listening())

    def cut(self):
        """Resets every link (RST). Returns their number."""
        return self._do(self._cut())

    def stall(self):
        """Stops reading from both sides of all links, also new ones."""
        self._do(self._set_stalled(True))

    def flow(self):
        """Ends stall()."""
        self._do(self._set_stalled(False))

    def cut_after(self, direction, count):
        """Resets each link, also new ones, after `count` more bytes in that direction."""
        self._do(self._set_fuse((direction, count)))

    def stop_cutting(self):
        """Ends cut_after(). Returns the number of links that it has reset."""
        return self._do(self._set_fuse(None))

    def _do(self, work):
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(timeout=30)

    async def _listen(self):
        self.listener = await self.loop.create_server(
            lambda: _Link(self).client, "127.0.0.1", self.port
        )
        self.port = self.listener.sockets[0].getsockname()[1]

    async def _stop_listening(self):
        if self.listener:
            self.listener.close()
            self.listener = None

    async def _cut(self):
        links = list(self.links)
        for link in links:
            link.reset()
        return len(links)

    async def _close(self):
        await self._stop_listening()
        await self._cut()

    async def _set_stalled(self, stalled):
        self.stalled = stalled
        for link in list(self.links):
            link.let_read()

    async def _set_fuse(self, fuse):
        self.fuse = fuse
        for link in self.links:
            link.passed = 0
        cuts, self.cuts = self.cuts, 0
        return cuts


class _Link:
    def __init__(self, gate):
        self.gate = gate
        self.client = _End(self, UP)
        self.server = _End(self, DOWN)
        self.client.peer, self.server.peer = self.server, self.client
        self.passed = 0  # bytes in the direction of the fuse, since it was set
        self.connecting = None

    def begin(self):
        self.gate.links.add(self)
        self.connecting = self.gate.loop.create_task(self._connect())

    async def _connect(self):
        try:
            await self.gate.loop.create_connection(
                lambda: self.server, "127.0.0.1", self.gate.server_port
            )
        except OSError:
            self.reset()
            return
        if self not in self.gate.links:  # the client has left
            self.reset()

    def let_read(self):
        connected = self.client.transport and self.server.transport
        for end in (self.client, self.server):
            if end.transport and not end.transport.is_closing():
                if connected and not self.gate.stalled and not end.peer.is_full:
                    end.transport.resume_reading()
                else:
                    end.transport.pause_reading()

    def forward(self, end, data):
        fuse = self.gate.fuse
        if fuse and fuse[0] == end.direction:
            left = fuse[1] - self.passed
            self.passed += len(data)
            if self.passed >= fuse[1]:
                end.peer.transport.write(data[:left])
                self.gate.cuts += 1
                self.reset()
                return
        end.peer.transport.write(data)

    def reset(self):
        self.gate.links.discard(self)
        for end in (self.client, self.server):
            if end.transport and not end.transport.is_closing():
                end.transport.get_extra_info("socket").setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
                )
                end.transport.abort()

    def lost(self, end):
        """One side has closed. What it sent is still delivered to the other."""
        self.gate.links.discard(self)
        if end.peer.transport and not end.peer.transport.is_closing():
            end.peer.transport.close()


class _End(asyncio.Protocol):
    """One of the two sockets of a link. The bytes that it receives go in `direction`."""

    def __init__(self, link, direction):
        self.link = link
        self.direction = direction
        self.transport = None
        self.is_full = False
        self.peer = None

    def connection_made(self, transport):
        self.transport = transport
        if self.direction == UP:
            self.link.begin()
        # Python 3.11 starts reading right after this function, even if it was paused in it.
        self.link.gate.loop.call_soon(self.link.let_read)

    def data_received(self, data):
        self.link.forward(self, data)

    def pause_writing(self):
        self.is_full = True
        self.link.let_read()

    def resume_writing(self):
        self.is_full = False
        self.link.let_read()

    def connection_lost(self, _):
        self.link.lost(self)
