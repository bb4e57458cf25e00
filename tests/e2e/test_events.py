"""Events: who keeps the highest version of each product knows the stock, whatever happens."""

import contextlib
import dataclasses
import datetime
import random
import re
import signal
import types

import pika
import pytest

import bad_things
from client import Client, new_id
from database import stock
from events import Cache
from service import Service
from waiting import wait_for


def exchange_of(queues):
    return f"{queues.order}.events"


def telling(broker, database, queues, events="levels", url=None):
    """A service that tells of stock."""
    options = [f"--events-exchange={exchange_of(queues)}", f"--events={events}"]
    return Service(url or broker.url, database.url, queues, options)


class Listener(Client):
    """Hears the events of an exchange, which exists."""

    def __init__(self, url, queues, keys=("#",)):
        super().__init__(url, queues)
        self.queue = self.channel.queue_declare("", exclusive=True).method.queue
        for key in keys:
            self.channel.queue_bind(self.queue, exchange_of(queues), key)
        self.heard = []
        self.cache = Cache()
        self.channel.basic_consume(self.queue, self.hear, auto_ack=True)

    def hear(self, _channel, method, properties, body):
        data = self.cache.hear(method.routing_key, properties, body)
        self.heard.append((method.routing_key, data))

    def wait(self, condition, what):
        def listened():
            self.connection.process_data_events(time_limit=0.05)
            return condition()

        return wait_for(listened, what)

    def quantities(self):
        return {product: data["quantity"] for product, data in self.cache.newest.items()}

    def keys(self, product):
        return [key for key, data in self.heard if data.get("product_id") == product]


def order(product, quantity=1):
    return {"order_id": new_id(), "product_id": product, "quantity": quantity}


def adjust(client, product, **change):
    request = {"adjustment_id": new_id(), "product_id": product, **change}
    assert client.call(client.queues.adjust, request).json["success"]


def is_ready(service):
    return service.get("/readyz")[0] == 200


def why_not_ready(service):
    status, text = service.get("/readyz?verbose")
    return text if status == 503 else None


def test_a_cache_agrees_with_the_database(broker, database, queues):
    draw = random.Random(1)
    with telling(broker, database, queues, "all") as service:
        with Client(broker.url, queues) as client, Listener(broker.url, queues) as listener:
            products = [client.add(quantity) for quantity in (5, 30, 100, 0)]
            sent = []
            for _ in range(300):
                held = {"hold_seconds": 1} if draw.random() < 0.2 else {}
                sent.append(order(draw.choice(products), draw.randint(1, 3)) | held)
                client.publish(queues.order, sent[-1], reply_to=client.reply_to)
                if draw.random() < 0.2:
                    again = draw.choice(sent)
                    client.publish(queues.cancel, again, reply_to=client.reply_to)
                if draw.random() < 0.05:
                    adjust(client, draw.choice(products), change=7)
            wait_for(lambda: client.count(queues.order) == 0, "all orders are taken")
            held = order(products[2]) | {"hold_seconds": 1}
            assert client.order(held).json["success"]
            expired = {"order_id": held["order_id"], "product_id": products[2], "quantity": 1}
            listener.wait(lambda: ("hold.expired", expired) in listener.heard, "it has expired")
            assert service.stop() == 0
            left = stock(database)
            listener.wait(lambda: listener.quantities() == left, f"the cache has {left}")
            added = [data["id"] for key, data in listener.heard if key == "item.added"]
            assert added == products


def test_levels_are_told_when_they_change(broker, database, queues):
    with telling(broker, database, queues), Client(broker.url, queues) as client:
        with Listener(broker.url, queues) as listener:
            item = client.item({"quantity": 5, "low_stock": 2}).json
            product = item["id"]
            for quantity in (1, 1):
                client.order(order(product, quantity))
            last = order(product, 2)
            for each in (order(product, 1), last, order(product, 1)):
                client.order(each)
            adjust(client, product, change=1)
            adjust(client, product, change=9)
            client.order(last)  # it comes again
            expected = ["in", "low", "out", "low", "in", "in"]
            listener.wait(lambda: len(listener.keys(product)) == len(expected), "all levels")
            assert listener.keys(product) == [f"stock.{level}" for level in expected]
            del item["success"], item["message"]
            assert ("item.added", item) in listener.heard


def test_a_hot_product_costs_one_event_for_many_orders(broker, database, queues):
    with telling(broker, database, queues, "all"), Client(broker.url, queues) as client:
        product = client.add(10_000)
    with Client(broker.url, queues) as client, Listener(broker.url, queues) as listener:
        for _ in range(1_000):
            client.publish(queues.order, order(product), reply_to=client.reply_to)
        wait_for(lambda: client.count(queues.order) == 1_000, "all orders wait")
        with telling(broker, database, queues, "all") as service:
            listener.wait(lambda: listener.quantities() == {product: 9_000}, "all are sold")
            batches = service.metrics()[f'inventory_batch_messages_count{{queue="{queues.order}"}}']
            assert len(listener.keys(product)) <= batches < 500


@contextlib.contextmanager
def deaf_queue(client, key):
    """A queue that takes one event and rejects the others."""
    queue = new_id()
    arguments = {"x-max-length": 1, "x-overflow": "reject-publish"}
    client.channel.queue_declare(queue, arguments=arguments)
    client.channel.queue_bind(queue, exchange_of(client.queues), key)
    try:
        yield
    finally:
        client.channel.queue_delete(queue)


def test_an_event_follows_a_crash_between_commit_and_its_confirm(broker, database, queues):
    with telling(broker, database, queues) as service, Client(broker.url, queues) as client:
        products = [client.add(1), client.add(1)]
        with deaf_queue(client, "stock.out"):
            assert client.order(order(products[0])).json["success"]  # it fills the queue
            lost = order(products[1])
            assert client.order(lost).json["success"]  # committed and answered, and not told
            wait_for(lambda: why_not_ready(service), "the event waits")
            service.stop(by=signal.SIGKILL)
        with Listener(broker.url, queues) as listener:
            # The first order may be, too: its acknowledgement was perhaps under way.
            wait_for(lambda: client.count(queues.order) >= 1, "the order is put back")
            with telling(broker, database, queues):
                listener.wait(lambda: listener.keys(products[1]), "the event follows")
                assert listener.quantities()[products[1]] == 0
            assert client.count(queues.order) == 0


def test_where_a_queue_rejects_events_orders_are_answered_and_probes_know(
    broker, database, queues
):
    with telling(broker, database, queues) as service, Client(broker.url, queues) as client:
        products = [client.add(1) for _ in range(5)]
        with Listener(broker.url, queues) as listener:
            with deaf_queue(client, "stock.out"):
                for product in products:
                    assert client.order(order(product)).json["success"]
                why = wait_for(lambda: why_not_ready(service), "the events wait")
                assert "a queue that is bound to it rejects events" in why
                service.wait_for_log("rejects events; make room there; ")
            told = dict.fromkeys(products, 0)
            listener.wait(lambda: listener.quantities() == told, "all is told")
        wait_for(lambda: is_ready(service), "it is ready again")
        assert service.metrics()['inventory_events_total{routing_key="stock.out"}'] == 5
        assert service.stop() == 0
        assert client.count(queues.order) == 0


@contextlib.contextmanager
def silent_queue(broker, queues):
    """A quorum queue that is bound and neither confirms nor rejects, inside; it keeps what it got."""
    place = types.SimpleNamespace(amqp_url=broker.url, evaluate=broker.evaluate)
    with bad_things.SilentQuorum(place, 1) as silent:
        [name] = silent.queues
        with Client(broker.url, queues) as client:
            client.channel.queue_bind(name, exchange_of(queues), "stock.out")
        yield silent


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_where_a_queue_does_not_answer_orders_are_until_too_many_events_wait(
    broker, database, queues
):
    """A batch has 500 orders at most. So 500 to 999 are answered, for 500 events may wait."""
    with telling(broker, database, queues) as service, Client(broker.url, queues) as client:
        for _ in range(1_200):
            client.publish(queues.item, {"quantity": 1}, reply_to=client.reply_to)
        products = [reply.json["id"] for reply in client.receive_all(1_200)]
        with Listener(broker.url, queues, ["stock.out"]) as listener:
            with silent_queue(broker, queues) as silent:
                for product in products:
                    client.publish(queues.order, order(product), reply_to=client.reply_to)
                answers = client.receive_all(500)
                why = wait_for(lambda: why_not_ready(service), "the events wait")
                assert f"exchange {exchange_of(queues)}: a queue that is bound to it" in why
                assert "does not answer; see whether it has a leader" in why
                service.wait_for_log("see whether it has a leader; ")
                # Over another connection, half a minute later, they have no answer either.
                again = re.compile(r"bound to it does not answer; \d+ events wait")
                wait_for(lambda: again.search(service.log), "they are published again", 120)
                client.connection.process_data_events(time_limit=0)
                answers += client.inbox
                client.inbox.clear()
                assert len(answers) < 1_000
                silent.end()
                answers += client.receive_all(1_200 - len(answers))
                told = dict.fromkeys(products, 0)
                listener.wait(lambda: listener.quantities() == told, "all is told")
                wait_for(lambda: is_ready(service), "it is ready again")
                assert client.count(silent.queues[0]) >= 1_200
        assert all(answer.json["success"] for answer in answers)
        assert service.stop() == 0
        assert client.count(queues.order) == 0


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_where_no_queue_is_bound_nothing_waits(broker, database, queues):
    with telling(broker, database, queues) as service, Client(broker.url, queues) as client:
        products = [client.add(1) for _ in range(3)]
        for product in products:
            assert client.order(order(product)).json["success"]
        told = 'inventory_events_total{routing_key="stock.out"}'
        wait_for(lambda: service.metrics()[told] == 3, "the events are confirmed")
        assert is_ready(service)
        assert service.stop() == 0
        assert client.count(queues.order) == 0


def test_during_a_memory_alarm_events_wait_and_are_told_when_it_is_over(
    own_broker, own_database, queues
):
    """Also those of a request that nobody is answered: of a hold that is over."""
    with Client(own_broker.url, queues) as client:
        client.channel.queue_declare(queues.expiry, durable=True)
        without_expiry = dataclasses.replace(queues, expiry="none")
        with telling(own_broker, own_database, without_expiry) as service:
            products = [client.add(1) for _ in range(20)]
            held = order(client.add(1)) | {"hold_seconds": 1}
            until = datetime.datetime.fromisoformat(client.order(held).json["held_until"])
            assert service.stop() == 0
        # An alarm blocks clients that publish as well: these requests arrive before it.
        for product in products:
            client.publish(queues.order, order(product), reply_to=client.reply_to)
        expiry = {"product_id": held["product_id"], "identity": f"s{held['order_id']}"}
        client.publish(queues.expiry, expiry)
        wait_for(lambda: client.count(queues.order) == len(products), "the orders have arrived")
        wait_for(lambda: client.count(queues.expiry) == 1, "the request has arrived")
        wait_for(lambda: datetime.datetime.now(datetime.timezone.utc) > until, "the hold is over")
        service = telling(own_broker, own_database, queues)
        with Listener(own_broker.url, queues) as listener:
            with own_broker.memory_alarm(), service.running():
                for queue in (queues.order, queues.expiry):
                    blocked = f"{queue}: the broker takes no messages: low on memory"
                    wait_for(lambda: blocked in (why_not_ready(service) or ""), blocked)
                    service.wait_for_log(blocked)
                own_broker.end_memory_alarm()
                answers = client.receive_all(len(products))
                assert all(reply.json["success"] and not reply.replayed for reply in answers)
                told = dict.fromkeys(products, 0) | {held["product_id"]: 1}
                listener.wait(lambda: listener.quantities() == told, "all is told")
                assert "hold.expired" in [key for key, _ in listener.heard]
                wait_for(lambda: is_ready(service), "it is ready again")
                assert "trying again" not in service.log, "it keeps its connections"
                assert service.stop() == 0
        # Of expiries there may be one more that the service itself has asked for.
        assert client.count(queues.order) == 0


def test_an_exchange_that_is_deleted_is_declared_again(broker, database, queues):
    with telling(broker, database, queues) as service, Client(broker.url, queues) as client:
        product = client.add(2)
        for _ in range(2):  # with a connection for events, and without one that is of use
            client.channel.exchange_delete(exchange_of(queues))
            adjust(client, product, set_to=0)
            adjust(client, product, set_to=1)
        told = 'inventory_events_total{routing_key="stock.out"}'
        wait_for(lambda: service.metrics()[told] == 2, "the events are confirmed")
        client.channel.exchange_declare(exchange_of(queues), passive=True)
        service.wait_for_log("no exchange")
        wait_for(lambda: is_ready(service), "it is ready")
        assert service.stop() == 0
        assert client.count(queues.adjust) == 0


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_where_events_may_not_be_published_they_wait_for_the_right(broker, database, queues):
    user = new_id()
    broker.control("add_user", user, "secret")
    try:
        broker.control("set_permissions", user, ".*", r"^amq\.default$", ".*")
        url = broker.url.replace("guest:guest", f"{user}:secret")
        with telling(broker, database, queues, url=url) as service:
            with Client(broker.url, queues) as client:
                product = client.add(1)
                assert client.order(order(product)).json["success"]
                why = wait_for(lambda: why_not_ready(service), "events are refused")
                assert exchange_of(queues) in why and "refused" in why
                with Listener(broker.url, queues) as listener:
                    broker.control("set_permissions", user, ".*", ".*", ".*")
                    listener.wait(lambda: listener.quantities() == {product: 0}, "it is told")
                wait_for(lambda: is_ready(service), "it is ready again")
                assert service.stop() == 0
                assert client.count(queues.order) == 0
    finally:
        broker.control("delete_user", user)


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_an_exchange_that_is_there_is_used_as_it_is(broker, database, queues):
    with Client(broker.url, queues) as client:
        client.channel.exchange_declare(exchange_of(queues), "fanout", durable=False)
        with telling(broker, database, queues), Listener(broker.url, queues) as listener:
            product = client.add(3)
            listener.wait(lambda: listener.quantities() == {product: 3}, "it is told")


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_without_the_setting_there_is_no_exchange(broker, database, queues):
    with Service(broker.url, database.url, queues) as service:
        with Client(broker.url, queues) as client:
            assert client.order(order(client.add(1))).json["success"]
            assert service.metrics()['inventory_events_total{routing_key="stock.out"}'] == 0
            with pytest.raises(pika.exceptions.ChannelClosedByBroker):
                client.channel.exchange_declare(exchange_of(queues), passive=True)
