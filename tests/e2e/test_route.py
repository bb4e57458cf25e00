"""`route`: requests that come in the undivided queues arrive in those of their partitions, as they
came and in order, whatever becomes of a partition or of the router."""

import contextlib
import datetime
import decimal
import json
import signal
import time

import pika
import pytest

from bad_things import Flagged, passes_flags_on
from client import Client, new_id
from service import DEADLINE_S, Queues, Router
from waiting import wait_for

PARTITIONS = 4
BAD = 1  # the partition to which something happens
HEADERS = {
    "string": "Zoë",
    "bytes": b"\xff\x00",
    "true": True,
    "small": -1,
    "large": 2**62,
    "decimal": decimal.Decimal("1.5"),
    "time": datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC),
    "nothing": None,
    "list": [1, "two", {"three": [3]}],
    "table": {"nested": {"deeper": [None, False]}},
    "empty": {},
    "x-death": [{"count": 1, "queue": "elsewhere", "reason": "expired"}],
    "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
}
PROPERTIES = {
    "content_type": "application/json",
    "content_encoding": "utf-8",
    "headers": HEADERS,
    "delivery_mode": 1,
    "priority": 7,
    "correlation_id": "c \0 Zoë",
    "reply_to": "somewhere",
    "expiration": "3600000",
    "message_id": "m",
    "timestamp": 1_700_000_000,
    "type": "order",
    "user_id": "guest",
    "app_id": "shop",
    "cluster_id": "x",
}


def in_order(value):
    """The same, each table of it with its keys in order."""
    if isinstance(value, dict):
        return {key: in_order(value[key]) for key in sorted(value)}
    return [in_order(each) for each in value] if isinstance(value, list) else value


def order(number, product):
    return {"order_id": number, "product_id": product, "quantity": 1}


class Route:
    """A router of queues of its own, and a client that reads what comes to the partitions."""

    def __init__(self, broker, *options, queues=None):
        self.broker, self.queues = broker, queues or Queues.fresh()
        self.options = options
        self.stack = contextlib.ExitStack()

    def __enter__(self):
        with self.stack:
            self.client = self.stack.enter_context(Client(self.broker.url, self.queues))
            self.router = self.stack.enter_context(self.start())
            self.stack = self.stack.pop_all()
        return self

    def __exit__(self, *_):
        self.stack.close()

    def start(self):
        return Router(self.broker.url, self.queues, PARTITIONS, self.options)

    def queue(self, partition, kind="order"):
        return f"{getattr(self.queues, kind)}.{partition}"

    def take(self, partition, kind="order"):
        """The next message of the partition's queue, which the router declares if it has to."""
        queue = self.queue(partition, kind)
        wait_for(lambda: self.client.exists(queue), f"{queue} is there")
        message, _ = self.client.take(queue)
        return message

    def send(self, numbers, products=range(PARTITIONS)):
        """An order of each number for each product, in turn."""
        for number in numbers:
            for product in products:
                self.client.publish(self.queues.order, order(number, product + PARTITIONS))

    def arrivals(self, partition, numbers):
        """Reads the partition's queue until the orders of these numbers were there, and returns
        their numbers in the order in which each came first."""
        missing, arrived = set(numbers), []
        wait_for(lambda: self.client.exists(self.queue(partition)), "its queue is there")
        channel = self.client.connection.channel()
        end = time.monotonic() + DEADLINE_S
        for method, _, body in channel.consume(self.queue(partition), inactivity_timeout=1):
            assert time.monotonic() < end, f"{len(missing)} are missing, as {min(missing)}"
            if method is None:
                continue
            channel.basic_ack(method.delivery_tag)
            request = json.loads(body)
            assert request["product_id"] % PARTITIONS == partition
            if request["order_id"] not in arrived:
                arrived.append(request["order_id"])
            missing.discard(request["order_id"])
            if not missing:
                break
        channel.close()
        return arrived

    def wait_until_nothing_is_left(self):
        wait_for(lambda: self.client.count(self.queues.order) == 0, "the source is empty")
        wait_for(lambda: self.metric("inventory_messages_in_flight") == 0, "nothing is in hand")

    def metric(self, name, **labels):
        labels = {"queue": self.queues.order, **labels}
        text = ",".join(f'{label}="{value}"' for label, value in sorted(labels.items()))
        return self.router.metrics()[f"{name}{{{text}}}"]


@pytest.fixture
def route(broker):
    with Route(broker) as running:
        yield running


def test_a_request_arrives_with_all_that_it_has(route):
    body = b' {"order_id": "A-1", "product_id": 7, "quantity": 1.0e0, "other": 1e999, "a":1,"a":2}'
    body = body.replace(b"1.0e0", b"1")
    sent = pika.BasicProperties(**PROPERTIES)
    route.client.channel.basic_publish("", route.queues.order, body, sent)
    message = route.take(3)
    assert message.body == body
    # RabbitMQ 4 has its own order of headers.
    for properties in (message.properties, sent):
        properties.headers = in_order(properties.headers)
    assert message.properties.encode() == sent.encode()


def test_a_request_without_properties_gets_none(route):
    route.client.channel.basic_publish("", route.queues.order, json.dumps(order(1, 7)))
    message = route.take(3)
    assert message.properties.encode() == pika.BasicProperties().encode()


def test_each_kind_of_request_is_routed(route):
    for kind, request in {
        "order": order(1, 6),
        "cancel": {"order_id": 1, "product_id": 6},
        "confirm": {"order_id": 1, "product_id": 6},
        "adjust": {"adjustment_id": 1, "product_id": 6, "change": 1},
        "item": {"product_id": 6, "quantity": 1},
    }.items():
        route.client.publish(getattr(route.queues, kind), request)
        message = route.take(2, kind)
        assert message.json == request


def test_what_is_no_request_goes_to_partition_0(route):
    bodies = [b"not JSON", b"\xff\x00", b"", b'{"order_id": 1}', b" " * 100_000]
    for body in bodies:
        route.client.publish(route.queues.order, body)
        message = route.take(0)
        assert message.body == body


def test_what_cannot_be_decoded_says_so(route):
    if not passes_flags_on(route.client):
        pytest.skip("this broker drops undefined property flags itself")
    flagged = Flagged(correlation_id="c")
    route.client.channel.basic_publish("", route.queues.order, json.dumps(order(1, 7)), flagged)
    message = route.take(0)
    assert message.json == order(1, 7)
    assert message.properties.correlation_id == "c"
    assert "flag" in message.headers["content-undecodable"]


def test_a_client_is_answered_at_its_direct_reply_to_address(route, broker):
    with Client(broker.url) as asking:
        replies = []
        asking.channel.basic_consume(
            "amq.rabbitmq.reply-to",
            lambda _channel, _method, properties, body: replies.append((properties, body)),
            auto_ack=True,
        )
        asking.publish(
            route.queues.order, order(1, 7), reply_to="amq.rabbitmq.reply-to", correlation_id="c"
        )
        request = route.take(3)
        assert request.properties.reply_to.startswith("amq.rabbitmq.reply-to.")
        route.client.publish(request.properties.reply_to, b"yes", correlation_id="c")
        wait_for(lambda: asking.connection.process_data_events(time_limit=0.1) or replies, "reply")
        assert replies[0][0].correlation_id == "c" and replies[0][1] == b"yes"


def test_new_items_go_in_turn_and_with_an_identity_to_the_same_each_time(route):
    for number in range(2 * PARTITIONS):
        route.client.publish(route.queues.item, {"quantity": number})
    for partition in range(PARTITIONS):
        for _ in range(2):
            route.take(partition, "item")
    for _ in range(5):
        route.client.publish(route.queues.item, {"quantity": 1}, message_id="m-1")
    wait_for(
        lambda: 5
        in [route.client.count(route.queue(partition, "item")) for partition in range(PARTITIONS)],
        "all five are in one queue",
    )


def test_of_other_names_of_a_sender_and_of_copies_the_partition_learns(broker):
    broker.control("add_user", "shop", "shop")
    broker.control("set_permissions", "shop", ".*", ".*", ".*")
    with Route(broker) as route:
        with Client(broker.url.replace("guest:guest", "shop:shop")) as shop:
            copy = new_id()
            shop.channel.queue_declare(copy)
            shop.publish(
                route.queues.order, order(1, 7), user_id="shop", headers={"CC": [copy], "a": 1}
            )
            message = route.take(3)
            assert message.properties.user_id is None
            assert message.headers == {"original-CC": [copy], "a": 1, "original-user-id": "shop"}
            assert shop.count(copy) == 1


def test_order_is_kept_for_each_product(route):
    route.send(range(1_000))
    for partition in range(PARTITIONS):
        assert route.arrivals(partition, range(1_000)) == list(range(1_000))
    route.wait_until_nothing_is_left()
    passed = route.metric("inventory_router_passed_on_total", partition=BAD)
    assert passed == 1_000


def others_pass(route, numbers):
    for partition in range(PARTITIONS):
        if partition != BAD:
            assert route.arrivals(partition, numbers) == list(numbers)


def status_of(route):
    status, text = route.router.get("/readyz?verbose")
    return status, text


def set_aside(route):
    return route.metric("inventory_router_set_aside_total", partition=BAD)


@pytest.mark.parametrize("orders", [20, 3_000])
def test_a_partition_whose_queue_is_full_delays_no_other(route, orders):
    """The few wait in hand, the many in a queue of the router's own."""
    limited = {"x-max-length": 5, "x-overflow": "reject-publish"}
    route.client.channel.queue_declare(route.queue(BAD), durable=True, arguments=limited)
    numbers = range(orders)
    route.send(numbers)
    others_pass(route, numbers)
    wait_for(lambda: f"partition {BAD}: queue" in status_of(route)[1], "it says so")
    assert status_of(route)[0] == 200
    if orders > 1_000:
        wait_for(lambda: route.client.count(route.queues.order) == 0, "the source is empty")
        wait_for(lambda: set_aside(route) > 0, "some are set aside")
    assert route.arrivals(BAD, numbers) == list(numbers)
    route.wait_until_nothing_is_left()
    route.send([orders], [BAD])
    assert route.arrivals(BAD, [orders]) == [orders]


def test_a_partition_gets_all_though_the_routers_own_queue_was_full_too(route):
    """As with a policy that bounds every queue."""
    for queue, most in ((route.queue(BAD), 5), (f"{route.queue(BAD)}.waiting", 50)):
        limited = {"x-max-length": most, "x-overflow": "reject-publish"}
        route.client.channel.queue_declare(queue, durable=True, arguments=limited)
    numbers = range(500)
    route.send(numbers)
    others_pass(route, numbers)
    waiting = f"{route.queue(BAD)}.waiting"
    wait_for(lambda: route.client.count(waiting) == 50, "its own queue is full")
    assert sorted(route.arrivals(BAD, numbers)) == list(numbers)
    route.wait_until_nothing_is_left()


def suspend(broker, queue, function="suspend"):
    broker.evaluate(
        f"sys:{function}(amqqueue:get_pid(element(2, rabbit_amqqueue:lookup("
        f'rabbit_misc:r(<<"/">>, queue, <<"{queue}">>)))))'
    )


@pytest.mark.parametrize("when", ["while it is read", "before it is opened"])
def test_a_partition_whose_waiting_requests_cannot_be_read_delays_no_other(broker, when):
    other = BAD + 1
    with Route(broker) as route:
        for partition in (BAD, other):
            limited = {"x-max-length": 5, "x-overflow": "reject-publish"}
            route.client.channel.queue_declare(
                route.queue(partition), durable=True, arguments=limited
            )
        route.send(range(1_000), [BAD, other])
        wait_for(lambda: route.client.count(route.queues.order) == 0, "the source is empty")
        wait_for(lambda: set_aside(route) > 0, "some are set aside")
        waiting = f"{route.queue(BAD)}.waiting"
        if when == "before it is opened":
            assert route.router.stop() == 0
        suspend(broker, waiting)
        try:
            if when == "before it is opened":
                route.router = route.stack.enter_context(route.start())
            route.client.channel.queue_purge(route.queue(BAD))  # it would be read now
            arrived = route.arrivals(other, range(1_000))
        finally:
            suspend(broker, waiting, "resume")
        assert sorted(arrived) == list(range(1_000))


@pytest.mark.parametrize("queue_type", ["classic", "quorum"])
def test_a_partition_whose_queue_does_not_answer_delays_no_other(broker, queue_type):
    with Route(broker, f"--queue-type={queue_type}") as route:
        route.send([0])
        for partition in range(PARTITIONS):  # a quorum queue that is new cannot be consumed at once
            passed = {"name": "inventory_router_passed_on_total", "partition": partition}
            wait_for(lambda passed=passed: route.metric(**passed) == 1, "it is passed on")
            assert route.arrivals(partition, [0]) == [0]
        suspend(broker, route.queue(BAD))
        try:
            numbers = range(1, 1_001)
            route.send(numbers)
            others_pass(route, numbers)
            wait_for(lambda: "does not answer" in status_of(route)[1], "it says so")
            assert status_of(route)[0] == 200
            wait_for(lambda: route.metric("inventory_messages_in_flight") == 0, "none in hand")
        finally:
            suspend(broker, route.queue(BAD), "resume")
        assert route.arrivals(BAD, numbers) == list(numbers)


def test_a_partition_whose_queue_is_deleted_gets_it_again(route):
    route.send(range(10))
    for partition in range(PARTITIONS):
        assert route.arrivals(partition, range(10)) == list(range(10))
    route.client.channel.queue_delete(route.queue(BAD))
    numbers = range(10, 1_010)
    route.send(numbers)
    others_pass(route, numbers)
    assert route.arrivals(BAD, numbers) == list(numbers)
    assert route.client.exists(route.queue(BAD), durable=True)


def test_what_a_router_has_set_aside_the_next_one_passes_on(broker):
    with Route(broker) as route:
        limited = {"x-max-length": 1, "x-overflow": "reject-publish"}
        route.client.channel.queue_declare(route.queue(BAD), durable=True, arguments=limited)
        route.send(range(1_000), [BAD])
        wait_for(lambda: set_aside(route) > 0, "some are set aside")
        wait_for(lambda: route.client.count(route.queues.order) == 0, "the source is empty")
        assert route.router.stop() == 0
        # The next does not know yet that the queue rejects, so what is under way may overtake.
        with route.start():
            assert sorted(route.arrivals(BAD, range(1_000))) == list(range(1_000))


@pytest.mark.parametrize("queue_type", ["classic", "quorum"])
def test_nothing_is_lost_when_a_router_is_killed(broker, queue_type):
    with Route(broker, f"--queue-type={queue_type}") as route:
        numbers = range(2_000)
        route.send(numbers)
        for already in (100, 500):
            name = "inventory_router_passed_on_total"
            wait_for(
                lambda already=already: route.metric(name, partition=BAD) >= already,
                f"{already} are passed on",
            )
            route.router.stop(signal.SIGKILL)
            # Before the broker has noticed, it gives the next router what comes behind.
            wait_for(
                lambda: route.client.consumers(route.queues.order) == 0, "its consumer is gone"
            )
            route.router = route.stack.enter_context(route.start())
        for partition in range(PARTITIONS):
            assert route.arrivals(partition, numbers) == list(numbers)


def test_sigterm_finishes_what_is_in_hand(broker):
    with Route(broker) as route:
        route.send(range(500))
        wait_for(lambda: route.client.exists(route.queue(PARTITIONS - 1)), "some are passed on")
        assert route.router.stop() == 0
        queues = [route.queues.order]
        for partition in range(PARTITIONS):
            queues += [route.queue(partition), f"{route.queue(partition)}.waiting"]
        there = {name: route.client.count(name) for name in queues if route.client.exists(name)}
        assert sum(there.values()) == 500 * PARTITIONS, f"each is in one place: {there}"


@pytest.mark.parametrize("tries", range(3))
def test_sigterm_right_after_the_start_ends_it(broker, tries):
    with Route(broker) as route:
        assert route.router.stop() == 0


def test_two_routers_lose_nothing_and_pass_nothing_twice(broker):
    with Route(broker) as route, route.start():
        route.send(range(1_000))
        for partition in range(PARTITIONS):
            assert sorted(route.arrivals(partition, range(1_000))) == list(range(1_000))


@pytest.mark.parametrize("way", ["killed", "stopped"])
def test_a_router_in_reserve_keeps_the_order(broker, way):
    """With single active consumers: also of what the other one has set aside."""
    queues = Queues.fresh()
    with Client(broker.url, queues) as client:
        for source in (queues.order, queues.item, queues.cancel, queues.confirm, queues.adjust):
            single = {"x-single-active-consumer": True}
            client.channel.queue_declare(source, durable=True, arguments=single)
    with Route(broker, queues=queues) as route, route.start() as reserve:
        limited = {"x-max-length": 5, "x-overflow": "reject-publish"}
        route.client.channel.queue_declare(route.queue(BAD), durable=True, arguments=limited)
        route.send(range(1_500), [BAD])
        wait_for(lambda: set_aside(route) > 0, "some are set aside")
        wait_for(lambda: route.client.count(route.queues.order) == 0, "the source is empty")
        route.router.stop(*([signal.SIGKILL] if way == "killed" else []))
        route.router = reserve
        route.send(range(1_500, 2_000), [BAD])
        arrived = route.arrivals(BAD, range(2_000))
        # It does not know yet that the queue rejects: what is under way then may overtake.
        moved = {number: place - number for place, number in enumerate(arrived) if place != number}
        assert all(abs(by) < 16 for by in moved.values()), moved
        assert arrived[-100:] == list(range(1_900, 2_000))


def test_what_a_router_has_left_another_passes_on_though_no_request_comes(broker):
    with Route(broker) as route:
        limited = {"x-max-length": 5, "x-overflow": "reject-publish"}
        route.client.channel.queue_declare(route.queue(BAD), durable=True, arguments=limited)
        route.send(range(1_500), [BAD])
        wait_for(lambda: set_aside(route) > 0, "some are set aside")
        with route.start() as other:
            wait_for(lambda: route.client.count(route.queues.order) == 0, "the source is empty")
            assert route.router.stop() == 0
            route.router = other
            assert sorted(route.arrivals(BAD, range(1_500))) == list(range(1_500))


def test_while_the_broker_takes_nothing_requests_wait(own_broker):
    with Route(own_broker) as route:
        route.send([0])
        for partition in range(PARTITIONS):
            assert route.arrivals(partition, [0]) == [0]
        # An alarm blocks clients that publish as well: these orders arrive before it.
        route.router.process.send_signal(signal.SIGSTOP)
        numbers = range(1, 101)
        route.send(numbers)
        route.client.count(route.queues.order)
        with own_broker.memory_alarm():
            route.router.process.send_signal(signal.SIGCONT)
            wait_for(lambda: "takes no messages" in status_of(route)[1], "it says so")
            assert status_of(route)[0] == 503
        for partition in range(PARTITIONS):
            assert route.arrivals(partition, numbers) == list(numbers)
        wait_for(lambda: status_of(route)[0] == 200, "it is ready again")


def test_a_router_waits_for_a_broker_that_is_away(own_broker):
    with Route(own_broker) as route:
        route.client.connection.close()
        own_broker.kill()
        wait_for(lambda: status_of(route)[0] == 503, "it is not ready")
        own_broker.start()
        route.router.wait_for_log("ready: routing", times=2)
        assert status_of(route)[0] == 200
        with Client(own_broker.url, route.queues) as client:
            route.client = client
            route.send([1])
            assert route.arrivals(BAD, [1]) == [1]


def test_undivided_settings_are_refused(broker):
    router = Router(broker.url, Queues.fresh(), PARTITIONS)
    router.command[-1] = "--partition=none"
    router.start()
    assert router.process.wait(timeout=DEADLINE_S) == 2
    router.wait_for_log("needs --partition all/COUNT")
