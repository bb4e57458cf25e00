"""Clients that behave as the Python order service does, on the contract's own queue names.

It publishes {"order_id": "<uuid>", "product_id": ..., "quantity": ...} with
reply_to=order_validate_response and a correlation id, consumes that queue with automatic
acknowledgement, and waits for its own correlation id.
"""

import contextlib
import uuid

import pytest

from client import Client
from service import Queues, Service

RESPONSES = "order_validate_response"


class OrderService(Client):
    def send(self, product, quantity):
        correlation_id, order_id = str(uuid.uuid4()), str(uuid.uuid4())
        order = {"order_id": order_id, "product_id": product, "quantity": quantity}
        self.publish(
            "order_validate", order, reply_to=RESPONSES, correlation_id=correlation_id
        )
        return correlation_id, order_id

    def validate(self, product, quantity):
        correlation_id, order_id = self.send(product, quantity)
        reply = self.receive(lambda m: m.properties.correlation_id == correlation_id).json
        assert reply["order_id"] == order_id
        return reply


@pytest.fixture
def inventory(broker, database):
    """The service on its default queues, and a product of which there are 100."""
    with Client(broker.url, Queues()) as client:
        for queue in ("order_validate", "inventory_new_item", RESPONSES):
            client.channel.queue_delete(queue)
        with Service(broker.url, database.url, Queues()):
            yield client.add(100)


def test_one_order_service(broker, inventory):
    with OrderService(broker.url) as client:
        client.consume(RESPONSES)
        assert client.validate(inventory, 99)["success"]
        assert client.validate(inventory, 2)["message"] == "Not enough inventory"
        assert client.validate(inventory, 1)["success"]


def test_one_after_the_other(broker, inventory):
    for _ in range(10):
        with OrderService(broker.url) as client:
            client.channel.queue_declare(RESPONSES, durable=True)
            client.consume(RESPONSES)
            assert client.validate(inventory, 1)["success"]


def test_many_requests_under_way_at_once(broker, inventory):
    with OrderService(broker.url) as client:
        client.consume(RESPONSES)
        sent = dict(client.send(inventory, 1) for _ in range(150))
        got = {r.properties.correlation_id: r.json for r in client.receive_all(150)}
    assert {key: reply["order_id"] for key, reply in got.items()} == sent
    assert sum(reply["success"] for reply in got.values()) == 100


def test_many_clients_share_the_queue(broker, inventory):
    """The broker gives each reply to one of them; together they get every one, once."""
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(OrderService(broker.url)) for _ in range(8)]
        for client in clients:
            client.consume(RESPONSES)
        sent = dict(client.send(inventory, 1) for client in clients for _ in range(25))
        got = []
        while len(got) < len(sent):
            for client in clients:
                client.connection.process_data_events(time_limit=0.01)
                got += client.inbox
                client.inbox.clear()
        assert sorted(reply.properties.correlation_id for reply in got) == sorted(sent)
        assert sum(reply.json["success"] for reply in got) == 100
