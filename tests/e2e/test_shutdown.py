"""SIGTERM and SIGINT: finish what is in flight, leave the rest to the next instance."""

import json
import signal
import time

import pytest

from client import Client, new_id
from database import Postgres
from service import DEADLINE_S, Service

SIGNALS = [signal.SIGTERM, signal.SIGINT]
BUDGET_S = 20


@pytest.mark.parametrize("by", SIGNALS)
def test_it_ends_with_status_0(broker, database, queues, by):
    with Service(broker.url, database.url, queues) as service:
        started = time.monotonic()
        assert service.stop(by) == 0
        assert time.monotonic() - started < BUDGET_S


def test_with_nothing_in_hand_it_waits_for_no_database(broker, postgres, queues):
    database = Postgres.new_schema(postgres.url)
    with Service(broker.url, database.url, queues) as service:
        with postgres.frozen():
            for _ in range(2):  # longer than the sweeper waits between its looks
                assert service.get("/items")[0] == 503
            assert service.stop() == 0
        assert "not finished" not in service.log


@pytest.mark.parametrize("by", SIGNALS)
def test_under_load_each_order_is_answered_or_left_in_the_queue(
    broker, database, client, queues, by
):
    count = 5_000
    with Service(broker.url, database.url, queues) as service:
        product = client.add(count)
        ids = [new_id() for _ in range(count)]
        for order_id in ids:
            order = {"order_id": order_id, "product_id": product, "quantity": 1}
            client.publish(queues.order, order, reply_to=client.reply_to)
        client.inbox += client.receive_all(100)
        assert service.stop(by) == 0
        answered = replies_so_far(client)
        left = take_all(client, queues.order, count - len(answered))
        assert len(answered) + len(left) == count
        assert set(answered) | set(left) == set(ids)

        # The next instance finds what is left, and nothing of it was decided.
        for order_id in left:
            order = {"order_id": order_id, "product_id": product, "quantity": 1}
            client.publish(queues.order, order, reply_to=client.reply_to)
    with Service(broker.url, database.url, queues):
        replies = client.receive_all(len(left))
        assert not any(reply.replayed for reply in replies)
        assert all(reply.json["success"] for reply in replies)
        extra = {"order_id": new_id(), "product_id": product, "quantity": 1}
        assert client.order(extra).json["message"] == "Not enough inventory"


def replies_so_far(client):
    """The order ids that were answered: all that came before a mark."""
    client.publish(client.reply_to, b"mark", correlation_id="mark")
    client.receive(lambda message: message.properties.correlation_id == "mark")
    answered = [reply.json["order_id"] for reply in client.inbox]
    client.inbox.clear()
    return answered


def take_all(client, queue, expected):
    """The order ids of the requests in a queue, once those that went back to it are there."""
    end = time.monotonic() + DEADLINE_S
    left = []
    while len(left) < expected and time.monotonic() < end:
        method, _, body = client.channel.basic_get(queue, auto_ack=True)
        if method is not None:
            left.append(json.loads(body)["order_id"])
    assert client.count(queue) == 0
    return left


def test_a_second_instance_goes_on_while_the_first_ends(broker, postgres, queues):
    database = Postgres.new_schema(postgres.url)
    count = 3_000
    first = Service(broker.url, database.url, queues)
    with first, Service(broker.url, database.url, queues), Client(broker.url, queues) as client:
        product = client.add(count)
        for number in range(count):
            order = {"order_id": number, "product_id": product, "quantity": 1}
            client.publish(queues.order, order, reply_to=client.reply_to)
        client.inbox += client.receive_all(100)
        assert first.stop() == 0
        replies = client.receive_all(count)
        assert sorted(reply.json["order_id"] for reply in replies) == list(range(count))
        assert not any(reply.replayed for reply in replies)
