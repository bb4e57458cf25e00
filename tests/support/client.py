"""A client of the service: publishes requests, receives replies, inspects queues."""

import dataclasses
import json
import time
import uuid

import pika

from service import DEADLINE_S

BLOCKED_S = 300  # an alarm that a test did not end must not block the next test for ever


@dataclasses.dataclass
class Message:
    """A message from a queue."""

    body: bytes
    properties: pika.BasicProperties

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def headers(self):
        return self.properties.headers or {}

    @property
    def replayed(self):
        return self.headers.get("idempotent-replayed") is True


class Client:
    """One connection with a reply queue. Not thread-safe."""

    def __init__(self, url, queues=None):
        self.queues = queues
        parameters = pika.URLParameters(url)
        parameters.blocked_connection_timeout = BLOCKED_S
        parameters.heartbeat = 0  # a test may do something else for minutes
        self.connection = pika.BlockingConnection(parameters)
        self.channel = self.connection.channel()
        self.reply_to = self.channel.queue_declare("", exclusive=True).method.queue
        self.inbox = []
        self.consume(self.reply_to)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.connection.is_open:
            self.connection.close()

    def consume(self, queue):
        """Also receives the messages of `queue`, with automatic acknowledgement."""

        def keep(_channel, _method, properties, body):
            self.inbox.append(Message(body, properties))

        self.channel.basic_consume(queue, keep, auto_ack=True)

    def publish(self, queue, body, **properties):
        """`body` is bytes, or a value to be written as JSON."""
        if not isinstance(body, bytes):
            body = json.dumps(body).encode()
        self.channel.basic_publish("", queue, body, pika.BasicProperties(**properties))

    def receive(self, wanted=lambda message: True, deadline_s=DEADLINE_S):
        """Waits for a message for which `wanted` is true, and removes it from the inbox."""
        end = time.monotonic() + deadline_s
        while True:
            for index, message in enumerate(self.inbox):
                if wanted(message):
                    return self.inbox.pop(index)
            left = end - time.monotonic()
            assert left > 0, f"nothing came within {deadline_s} s"
            self.connection.process_data_events(time_limit=min(left, 1))

    def receive_all(self, count):
        """Waits for `count` messages and returns them in order of arrival."""
        return [self.receive() for _ in range(count)]

    def call(self, queue, body, **properties):
        """Publishes a request and waits for its reply."""
        properties.setdefault("correlation_id", uuid.uuid4().hex)
        properties.setdefault("reply_to", self.reply_to)
        self.publish(queue, body, **properties)
        return self.receive(
            lambda message: message.properties.correlation_id == properties["correlation_id"]
        )

    def order(self, order, **properties):
        return self.call(self.queues.order, order, **properties)

    def item(self, item, **properties):
        return self.call(self.queues.item, item, **properties)

    def add(self, quantity):
        """Adds an item and returns its id."""
        reply = self.item({"quantity": quantity}).json
        assert reply["success"], reply
        return reply["id"]

    def take(self, queue, wanted=lambda message: True):
        """Takes messages from a queue up to the first wanted one. Returns that and the others."""
        others = []
        channel = self.connection.channel()
        end = time.monotonic() + DEADLINE_S
        try:
            for method, properties, body in channel.consume(queue, inactivity_timeout=1):
                assert time.monotonic() < end, f"nothing that is wanted came to {queue}"
                if method is None:
                    continue
                channel.basic_ack(method.delivery_tag)
                message = Message(body, properties)
                if wanted(message):
                    return message, others
                others.append(message)
        finally:
            if channel.is_open:
                channel.close()

    def exists(self, queue, **arguments):
        """Whether a queue exists; with arguments: whether it may be declared with them."""
        channel = self.connection.channel()
        try:
            channel.queue_declare(queue, passive=not arguments, **arguments)
        except pika.exceptions.ChannelClosedByBroker as closed:
            if closed.reply_code in (404, 406):
                return False
            raise
        channel.close()
        return True

    def count(self, queue):
        """The number of ready messages in a queue, that is, not delivered to a consumer."""
        return self._look_at(queue).message_count

    def consumers(self, queue):
        return self._look_at(queue).consumer_count

    def _look_at(self, queue):
        channel = self.connection.channel()
        found = channel.queue_declare(queue, passive=True).method
        channel.close()
        return found


def with_id(correlation_id):
    return lambda message: message.properties.correlation_id == correlation_id


def new_id():
    return str(uuid.uuid4())
