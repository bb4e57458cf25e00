"""Clients that always send: requests of all kinds, repetitions, and invalid requests.

The seed determines what is published, and in which order. A request that the broker has not
confirmed is published again on the next connection, so it may reach the service several times.
"""

import collections
import dataclasses
import heapq
import json
import random
import threading
import time
import uuid

import pika

HEARTBEAT_S = 10
WINDOW = 200  # published requests that are not confirmed
TICK_S = 0.02
PER_TICK = 8  # at most; on average half of that, 200 requests a second


def identity_of(order_id):
    """As in the ledger."""
    return ("i" if isinstance(order_id, int) else "s") + str(order_id)


@dataclasses.dataclass(frozen=True)
class Request:
    kind: str
    correlation_id: str
    body: bytes
    order: dict | None = None  # of a valid order, cancellation, confirmation, adjustment
    queue: str = "order"  # its name in Queues
    message_id: str | None = None  # of an item's request
    reply_to: str | None = None  # if it is answered elsewhere, or nowhere
    properties: type = pika.BasicProperties

    @property
    def items(self):
        """(product, quantity) of each; the quantity is None if the request has none."""
        items = self.order.get("items", [self.order])
        return [(item["product_id"], item.get("quantity")) for item in items]

    @property
    def keys(self):
        """(product, identity) under which the ledger keeps the decision, for each item."""
        order_id = self.order.get("order_id", self.order.get("adjustment_id"))
        prefix = {"order": "", "cancel": "c", "confirm": "f", "adjust": "a"}[self.queue]
        return [(product, prefix + identity_of(order_id)) for product, _ in self.items]


@dataclasses.dataclass(frozen=True)
class Answer:
    body: bytes
    replayed: bool


class Requests:
    """An endless sequence of requests."""

    def __init__(self, chance, few, many):
        self.chance = chance
        self.few = few  # ids of products that most orders are for
        self.many = many
        self.recent = collections.deque(maxlen=3000)  # first requests of orders
        self.items = collections.deque(maxlen=300)
        self.changes = collections.deque(maxlen=300)  # cancellations, confirmations, adjustments
        self.again = None
        self.asked = 0
        self.later = []  # heap of (value of self.asked at which to send it, number, request)

    def next(self):
        self.asked += 1
        if self.later and self.later[0][0] <= self.asked:
            return heapq.heappop(self.later)[-1]
        if self.again:
            again, self.again = self.again, None
            if again.kind == "order, asked about before":
                return again
            return self._repeat(again, "order again, at once")
        dice = self.chance.random()
        if dice < 0.12 and self.recent:
            return self._repeat(self.chance.choice(self.recent), "order again, later")
        if dice < 0.16 and self.recent:
            order = dict(self.chance.choice(self.recent).order)
            if "quantity" in order:
                order["quantity"] += self.chance.randint(1, 3)
                return self._order(order, "order with another quantity")
        if dice < 0.17 and self.recent:
            order = dict(self.chance.choice(self.recent).order)
            order["hold_seconds"] = order.get("hold_seconds", 0) + 1
            return self._order(order, "order with another hold")
        if dice < 0.22:
            return self._invalid()
        if dice < 0.28:
            return self._item()
        if dice < 0.32:
            return self._cancellation()
        if dice < 0.33:
            return self._confirmation()
        if dice < 0.38:
            return self._adjustment()
        if dice < 0.40 and self.changes:
            return self._repeat(self.chance.choice(self.changes), "again")
        if dice < 0.48:
            request = self._order(self._perhaps_held(self._new_basket()), "order of several items")
        else:
            request = self._order(self._perhaps_held(self._new_order()), "order")
        if "hold_seconds" in request.order:
            self._follow(request.order)
        self.recent.append(request)
        if self.chance.random() < 0.1:
            self.again = request
        return request

    def order_for(self, product, kind="order"):
        return self._order(self._new_order() | {"product_id": product}, kind)

    def elsewhere(self, reply_to, product):
        request = self.order_for(product, "order, answered elsewhere")
        return dataclasses.replace(request, reply_to=reply_to)

    def undecodable(self, properties):
        body = json.dumps(self._new_order()).encode()
        return Request("no order", self._id(), body, properties=properties)

    def _id(self):
        return str(uuid.UUID(int=self.chance.getrandbits(128), version=4))

    def _new_order(self):
        dice = self.chance.random()
        if dice < 0.03:
            product = 1_000_000 + self.chance.randint(0, 9)  # does not exist
        else:
            product = self.chance.choice(self.few if dice < 0.6 else self.many)
        integer = self.chance.random() < 0.5
        return {
            "order_id": self.chance.getrandbits(48) if integer else self._id(),
            "product_id": product,
            "quantity": self.chance.randint(1, 3),
        }

    def _new_basket(self):
        order = self._new_order()
        products = {order["product_id"], *self.chance.sample(self.many, self.chance.randint(1, 3))}
        items = [{"product_id": product, "quantity": order["quantity"]} for product in products]
        return {"order_id": order["order_id"], "items": items}

    def _cancellation(self):
        """A cancellation of a whole order that was sent, will be sent, or never is."""
        dice = self.chance.random()
        if dice < 0.6 and self.recent:
            order = self.chance.choice(self.recent).order
        else:
            order = self._new_order() if dice < 0.9 else self._new_basket()
            if dice < 0.8:  # the order comes after its cancellation
                self.again = self._order(order, "order, asked about before")
        request = self._change(_without_quantities(order), "cancellation", "cancel")
        self.changes.append(request)
        return request

    def _perhaps_held(self, order):
        if self.chance.random() < 0.3:
            order["hold_seconds"] = self.chance.randint(1, 3)
        return order

    def _follow(self, order):
        """Plans the end of a hold: it is confirmed or cancelled, or both, or neither; in time or
        late (there are about 200 requests a second)."""
        for kind, queue, share in (("confirmation", "confirm", 0.5), ("cancellation", "cancel", 0.2)):
            while self.chance.random() < share:
                request = self._change(_without_quantities(order), kind, queue)
                when = self.asked + self.chance.randint(1, 800)
                heapq.heappush(self.later, (when, len(self.later), self.asked, request))
                self.changes.append(request)

    def _confirmation(self):
        """A confirmation of any order, of one that comes later or never, or an invalid one."""
        dice = self.chance.random()
        if dice < 0.2:
            return Request("no confirmation", self._id(), b'{"order_id": 1}', queue="confirm")
        if dice < 0.7 and self.recent:
            order = self.chance.choice(self.recent).order
        else:
            order = self._new_order()
            if dice < 0.9:
                self.again = self._order(order, "order, asked about before")
        request = self._change(_without_quantities(order), "confirmation", "confirm")
        self.changes.append(request)
        return request

    def _adjustment(self):
        if self.chance.random() < 0.1:
            body = {"adjustment_id": self._id(), "product_id": 1, "change": 0}
            return Request("no adjustment", self._id(), json.dumps(body).encode(), queue="adjust")
        what = {"change": self.chance.randint(1, 5) * self.chance.choice((1, 1, -1))}
        if self.chance.random() < 0.1:
            what = {"set_to": 20, "expected": self.chance.randint(0, 40)}
        product = self.chance.choice(self.few + self.many)
        body = {"adjustment_id": self._id(), "product_id": product, **what}
        request = self._change(body, "adjustment", "adjust")
        self.changes.append(request)
        return request

    def _change(self, body, kind, queue):
        return Request(kind, self._id(), json.dumps(body).encode(), order=body, queue=queue)

    def _order(self, order, kind):
        return Request(kind, self._id(), json.dumps(order).encode(), order=order)

    def _repeat(self, request, kind):
        return dataclasses.replace(request, kind=kind, correlation_id=self._id())

    def _invalid(self):
        order = self._new_order()
        body = self.chance.choice(
            [
                b"",
                b"no JSON",
                b"[" * 1000,
                b'{"order_id": "\xff"}',
                json.dumps(order | {"quantity": 0}).encode(),
                json.dumps(order | {"product_id": "1"}).encode(),
                json.dumps({"order_id": order["order_id"]}).encode(),
                json.dumps(order | {"note": "x" * 70_000}).encode(),
            ]
        )
        return Request("no order", self._id(), body)

    def _item(self):
        dice = self.chance.random()
        if dice < 0.3 and self.items:
            return self._repeat(self.chance.choice(self.items), "item again")
        if dice < 0.4:
            return Request("no item", self._id(), b'{"quantity": -1}', queue="item")
        item = {"quantity": self.chance.randint(0, 100), "description": self._id()}
        request = Request(
            "item", self._id(), json.dumps(item).encode(), queue="item", message_id=self._id()
        )
        self.items.append(request)
        return request


class RequestsOfPartitions(Requests):
    """Requests in which no order has items of several partitions."""

    def __init__(self, chance, few, many, partitions):
        super().__init__(chance, few, many)
        self.partitions = partitions

    def _new_basket(self):
        order = self._new_order()
        number = order["product_id"] % self.partitions
        near = [product for product in self.many if product % self.partitions == number]
        count = min(len(near), self.chance.randint(1, 3))
        products = {order["product_id"], *self.chance.sample(near, count)}
        items = [{"product_id": product, "quantity": order["quantity"]} for product in products]
        return {"order_id": order["order_id"], "items": items}


class RequestsOfVersion1(Requests):
    """Only requests that 1.0 knows, until `knows_all`."""

    knows_all = False

    def next(self):
        while True:
            request = super().next()
            if self.knows_all or self._is_known(request):
                return request

    @staticmethod
    def _is_known(request):
        is_order = request.order is None or not {"items", "hold_seconds"} & request.order.keys()
        return request.queue in ("order", "item") and is_order


def _without_quantities(order):
    if "items" not in order:
        return {"order_id": order["order_id"], "product_id": order["product_id"]}
    items = [{"product_id": item["product_id"]} for item in order["items"]]
    return {"order_id": order["order_id"], "items": items}


def hosts_of(urls):
    hosts = [pika.URLParameters(f"{url}?heartbeat={HEARTBEAT_S}") for url in urls]
    for parameters in hosts:
        parameters.stack_timeout = HEARTBEAT_S
    return hosts


class Traffic:
    """Publishes requests and collects answers, in two threads, during a `with` block."""

    def __init__(self, urls, queues, queue_type, requests):
        self.hosts = hosts_of(urls)
        self.queues = queues
        self.queue_type = queue_type
        self.reply_to = f"{queues.order}.answers"
        self.requests = requests
        self.sent = {}  # by correlation id
        self.republished = 0
        self.waiting = collections.deque()  # to be published, before new ones
        self.special = collections.deque()  # also to be published: the requests of faults
        self.unconfirmed = {}  # by delivery tag of the connection
        self.answers = collections.defaultdict(collections.Counter)  # by correlation id
        self.news = threading.Condition()
        self.ending = threading.Event()
        self.stopping = threading.Event()
        self.reconnecting = threading.Event()  # tells the receiving thread to reconnect
        self.errors = []
        self.threads = [
            threading.Thread(target=self._guard, args=(work,), daemon=True)
            for work in (self._publish_on_and_on, self._receive_on_and_on)
        ]

    def __enter__(self):
        with pika.BlockingConnection(self.hosts) as connection:
            connection.channel().queue_declare(
                self.reply_to, durable=True, arguments={"x-queue-type": self.queue_type}
            )
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        for thread in self.threads:
            thread.join(timeout=60)

    def ask(self, request):
        """Publishes a request that is not in the sequence."""
        self.special.append(request)

    def wait_for_answers(self, count, deadline_s):
        """Waits until this many more requests are answered."""
        wanted = len(self.answers) + count
        self._wait(lambda: len(self.answers) >= wanted, deadline_s, f"{count} more answers")

    def drain(self, deadline_s, send_kept_on):
        """Stops new requests, and waits until all are published and answered."""
        self.ending.set()
        end = time.monotonic() + deadline_s
        self._wait(lambda: not self.threads[0].is_alive(), deadline_s, "confirms of all requests")
        # A client that waits for long reconnects: a quorum queue of RabbitMQ 3.10 may have forgotten
        # a consumer whose node was away, and the messages that it had sent to it.
        # An operator also sends on the replies that the service has kept for a queue that did not
        # answer for long: a queue that lost its leader may never have confirmed some of them.
        with self.news:
            met = self.news.wait_for(lambda: self.errors or not self.unanswered(), timeout=60)
        if not met:
            self.reconnecting.set()
            send_kept_on()
            self._go_on_for_a_while(end - time.monotonic())
        self._wait(lambda: not self.unanswered(), end - time.monotonic(), "all answers")

    def _go_on_for_a_while(self, deadline_s):
        """Sends more requests, as the traffic of a shop does not end. It is assumed, not proven, that
        RabbitMQ notices a delivery lost between nodes only at the next one of its queue, so that the
        last never comes. Unanswered requests are not repeated: that would hide a lost one."""
        self.special.extend(self.requests.next() for _ in range(100))
        more = threading.Thread(target=self._guard, args=(self._publish_on_and_on,), daemon=True)
        self.threads.append(more)
        more.start()
        self._wait(lambda: not more.is_alive(), deadline_s, "confirms of further requests")

    def unanswered(self):
        return {
            key for key in self.sent.keys() - self.answers.keys() if not self.sent[key].reply_to
        }

    def _wait(self, condition, deadline_s, what):
        with self.news:
            met = self.news.wait_for(lambda: self.errors or condition(), timeout=deadline_s)
            if self.errors:
                raise self.errors[0]
            missing = [self.sent[key] for key in self.unanswered()]
            assert met, (
                f"no {what} within {deadline_s:.0f} s: {len(self.sent)} requests sent, "
                f"{len(self.unconfirmed) + len(self.waiting)} of them not confirmed, "
                f"{len(missing)} not answered, of them {missing[:3]}"
            )

    def _guard(self, work):
        try:
            work()
        except Exception as error:  # pylint: disable=broad-except
            self.errors.append(error)
        with self.news:
            self.news.notify_all()

    def _next_host(self):
        self.hosts.append(self.hosts.pop(0))
        return self.hosts[0]

    # Publishing: pika's SelectConnection, because BlockingConnection waits for each confirm.

    def _publish_on_and_on(self):
        while not self.stopping.is_set():
            connection = pika.SelectConnection(
                self._next_host(),
                on_open_callback=self._open_channel,
                on_open_error_callback=lambda connection, _: connection.ioloop.stop(),
                on_close_callback=lambda connection, _: connection.ioloop.stop(),
            )
            try:
                connection.ioloop.start()
            except (pika.exceptions.AMQPError, OSError):
                pass
            connection.ioloop.close()
            if self._is_done() and not self.unconfirmed:
                return
            self.waiting.extendleft(reversed(self.unconfirmed.values()))
            self.republished += len(self.unconfirmed)
            self.unconfirmed = {}
            self.stopping.wait(0.2)  # the broker is unavailable

    def _open_channel(self, connection):
        connection.channel(on_open_callback=self._begin)

    def _begin(self, channel):
        self.next_tag = 1
        channel.add_on_close_callback(lambda closed, _: _close(closed.connection))
        channel.confirm_delivery(self._settle, callback=lambda _: self._tick(channel))

    def _tick(self, channel):
        if not channel.is_open:
            return
        done = self._is_done()
        if self.stopping.is_set() or (done and not self.unconfirmed):
            _close(channel.connection)
            return
        if not done:
            for _ in range(random.randint(0, PER_TICK)):
                if len(self.unconfirmed) >= WINDOW or not self._publish_one(channel):
                    break
        channel.connection.ioloop.call_later(TICK_S, lambda: self._tick(channel))

    def _is_done(self):
        return self.ending.is_set() and not self.waiting and not self.special

    def _publish_one(self, channel):
        if self.waiting:
            request = self.waiting.popleft()
        elif self.special:
            request = self.special.popleft()
            self.sent[request.correlation_id] = request
        elif self.ending.is_set():
            return False
        else:
            request = self.requests.next()
            self.sent[request.correlation_id] = request
        properties = request.properties(
            reply_to=request.reply_to or self.reply_to,
            correlation_id=request.correlation_id,
            message_id=request.message_id,
            delivery_mode=2,
        )
        queue = getattr(self.queues, request.queue)
        self.unconfirmed[self.next_tag] = request
        self.next_tag += 1
        channel.basic_publish("", queue, request.body, properties)
        return True

    def _settle(self, frame):
        tag, multiple = frame.method.delivery_tag, frame.method.multiple
        tags = [other for other in self.unconfirmed if other <= tag] if multiple else [tag]
        for each in tags:
            request = self.unconfirmed.pop(each)
            if isinstance(frame.method, pika.spec.Basic.Nack):
                self.waiting.append(request)

    # Receiving

    def _receive_on_and_on(self):
        hosts = list(self.hosts)
        while not self.stopping.is_set():
            hosts.append(hosts.pop(0))
            try:
                with pika.BlockingConnection(hosts[0]) as connection:
                    self._receive(connection.channel())
            except (pika.exceptions.AMQPError, OSError):
                self.stopping.wait(0.2)  # the broker is unavailable

    def _receive(self, channel):
        channel.basic_qos(prefetch_count=WINDOW)
        for method, properties, body in channel.consume(self.reply_to, inactivity_timeout=0.2):
            if self.stopping.is_set() or self.reconnecting.is_set():
                self.reconnecting.clear()
                return
            if method is None:
                continue
            replayed = (properties.headers or {}).get("idempotent-replayed") is True
            with self.news:
                self.answers[properties.correlation_id][Answer(body, replayed)] += 1
                self.news.notify_all()
            channel.basic_ack(method.delivery_tag)


def _close(connection):
    if connection.is_open:
        connection.close()
