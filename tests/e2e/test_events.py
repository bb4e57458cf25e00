"""Events: who keeps the highest version of each product knows the stock, whatever happens."""

import contextlib
import json
import random
import signal

import pika
import pytest

from client import Client, new_id
from database import stock
from service import Service
from waiting import wait_for


def exchange_of(queues):
    return f"{queues.order}.events"


def telling(broker, database, queues, events="levels", url=None):
    """A service that tells of stock."""
    options = [f"--events-exchange={exchange_of(queues)}", f"--events={events}"]
    return Service(url or broker.url, database.url, queues, options)


class Listener(Client):
    """Hears the events of an exchange, which exists, and keeps what is newest of each product."""

    def __init__(self, url, queues, keys=("#",)):
        super().__init__(url, queues)
        self.queue = self.channel.queue_declare("", exclusive=True).method.queue
        for key in keys:
            self.channel.queue_bind(self.queue, exchange_of(queues), key)
        self.heard = []
        self.newest = {}
        self.by_id = {}
        self.channel.basic_consume(self.queue, self.hear, auto_ack=True)

    def hear(self, _channel, method, properties, body):
        event = json.loads(body)
        assert event["id"] == properties.message_id
        assert event["specversion"] == "1.0" and event["source"] == "inventory-service"
        assert properties.content_type == "application/cloudevents+json"
        assert properties.delivery_mode == 2
        told = {name: value for name, value in event.items() if name != "time"}
        assert self.by_id.setdefault(event["id"], told) == told, "two events with one id"
        self.heard.append((method.routing_key, event["data"]))
        if method.routing_key.startswith("stock."):
            data = event["data"]
            assert method.routing_key == f"stock.{data['level']}"
            earlier = self.newest.get(data["product_id"])
            if earlier is None or data["version"] >= earlier["version"]:
                self.newest[data["product_id"]] = data

    def wait(self, condition, what):
        def listened():
            self.connection.process_data_events(time_limit=0.05)
            return condition()

        return wait_for(listened, what)

    def quantities(self):
        return {product: data["quantity"] for product, data in self.newest.items()}

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
