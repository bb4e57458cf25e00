"""A consumer of the events, as another service would be: it keeps a cache of the stock.

Its queue loses nothing: it is durable, has no limit, and delivers unacknowledged events again.
"""

import collections
import threading

import pika

from events import KEYS, Cache
from traffic import hosts_of

PREFETCH = 200
# After this time without an event it reconnects: see Traffic.drain.
SILENCE_S = 10


class Listener:
    """Listens in a thread during a `with` block. It declares the exchange, as it may start first."""

    def __init__(self, urls, exchange, queue_type, events):
        self.hosts = hosts_of(urls)
        self.exchange = exchange
        self.queue = f"{exchange}.cache"
        self.queue_type = queue_type
        self.events = events  # which events it can expect: levels or all
        self.cache = Cache()
        self.figures = collections.Counter()
        self.news = threading.Condition()  # also guards the cache
        self.stopping = threading.Event()
        self.error = None
        self.thread = threading.Thread(target=self._listen_on_and_on, daemon=True)

    def __enter__(self):
        with pika.BlockingConnection(self.hosts) as connection:
            channel = connection.channel()
            channel.exchange_declare(self.exchange, "topic", durable=True)
            arguments = {"x-queue-type": self.queue_type}
            if self.queue_type == "quorum":
                arguments["x-delivery-limit"] = 2**31 - 1
            channel.queue_declare(self.queue, durable=True, arguments=arguments)
            for key in KEYS:
                channel.queue_bind(self.queue, self.exchange, key)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.thread.join(timeout=60)

    def wait(self, condition, deadline_s):
        """Waits until the condition holds for what it has heard, at most this long."""
        with self.news:
            self.news.wait_for(lambda: self.error or condition(), timeout=deadline_s)
            if self.error:
                raise self.error

    def remove(self, channel):
        channel.queue_delete(self.queue)
        channel.exchange_delete(self.exchange)

    def _listen_on_and_on(self):
        while not self.stopping.is_set():
            self.hosts.append(self.hosts.pop(0))
            try:
                with pika.BlockingConnection(self.hosts[0]) as connection:
                    self._listen(connection.channel())
            except (pika.exceptions.AMQPError, OSError):
                self.stopping.wait(0.2)  # the broker is unavailable
            except Exception as error:  # pylint: disable=broad-except
                with self.news:
                    self.error = error
                    self.news.notify_all()
                return

    def _listen(self, channel):
        channel.basic_qos(prefetch_count=PREFETCH)
        tick_s, silent_s = 0.2, 0
        for method, properties, body in channel.consume(self.queue, inactivity_timeout=tick_s):
            silent_s = 0 if method else silent_s + tick_s
            if self.stopping.is_set() or silent_s > SILENCE_S:
                return
            if method is None:
                continue
            with self.news:
                self.figures[f"told: {method.routing_key}"] += 1
                self.figures["told again"] += properties.message_id in self.cache.by_id
                self.cache.hear(method.routing_key, properties, body)
                self.news.notify_all()
            channel.basic_ack(method.delivery_tag)
