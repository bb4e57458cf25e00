"""Replies: where they go and with which properties."""

import json

import pika
import pytest

from client import Client, new_id, with_id
from service import Service

REQUESTS = ["order", "item"]


def request_of(shop, kind):
    """A queue and a valid request for it."""
    if kind == "order":
        order = {"order_id": new_id(), "product_id": shop.add(1), "quantity": 1}
        return shop.queues.order, order
    return shop.queues.item, {"quantity": 1}


@pytest.mark.parametrize("kind", REQUESTS)
def test_replies_are_persistent_json_of_the_service(shop, kind):
    reply = shop.call(*request_of(shop, kind))
    assert reply.properties.content_type == "application/json"
    assert reply.properties.delivery_mode == 2
    assert reply.properties.app_id == "inventory-service"


@pytest.mark.parametrize("kind", REQUESTS)
@pytest.mark.parametrize("correlation_id", ["plain", "Zoë 😀 \0 \n", 251 * "x"])
def test_the_correlation_id_comes_back_byte_for_byte(shop, kind, correlation_id):
    correlation_id += new_id()[:4]
    reply = shop.call(*request_of(shop, kind), correlation_id=correlation_id)
    assert reply.properties.correlation_id == correlation_id


@pytest.mark.parametrize("kind", REQUESTS)
def test_what_the_request_does_not_have_the_reply_does_not_have(shop, kind):
    queue, request = request_of(shop, kind)
    shop.publish(queue, request, reply_to=shop.reply_to)
    reply = shop.receive()
    assert reply.properties.correlation_id is None
    assert "traceparent" not in reply.headers
    assert "idempotent-replayed" not in reply.headers


@pytest.mark.parametrize("kind", REQUESTS)
@pytest.mark.parametrize(
    "traceparent",
    [
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "",
        "not what W3C says: Zoë",
        b"\xff\x00 bytes",
        17,
        {"nested": ["table", 1]},
    ],
)
def test_the_traceparent_comes_back_as_it_was(shop, kind, traceparent):
    headers = {"before": 1, "traceparent": traceparent, "after": [{"x": None}]}
    reply = shop.call(*request_of(shop, kind), headers=headers)
    assert reply.headers == {"traceparent": traceparent}


@pytest.mark.parametrize("kind", REQUESTS)
def test_a_replay_has_its_own_correlation_id_and_traceparent(shop, kind):
    queue, request = request_of(shop, kind)
    identity = new_id()
    shop.call(queue, request, message_id=identity)
    again = shop.call(
        queue, request, message_id=identity, correlation_id="again", headers={"traceparent": "2"}
    )
    assert again.properties.correlation_id == "again"
    assert again.headers == {"traceparent": "2", "idempotent-replayed": True}


def test_an_order_without_reply_to_is_answered_on_the_fallback_queue(shop):
    queue, request = request_of(shop, "order")
    correlation_id = new_id()
    shop.publish(queue, request, correlation_id=correlation_id)
    reply, _ = shop.take(shop.queues.order_response, with_id(correlation_id))
    assert reply.json["message"] == "Inventory updated"
    assert reply.properties.delivery_mode == 2


def test_an_item_without_reply_to_is_answered_on_its_queue_if_somebody_made_it(shop):
    queue, request = request_of(shop, "item")
    shop.publish(queue, request, correlation_id="nobody listens")
    # Nobody has made the queue yet: that the next one is answered says that the service went on.
    assert shop.item(request).json["success"]
    assert not shop.exists(shop.queues.item_response)
    shop.channel.queue_declare(shop.queues.item_response)
    try:
        correlation_id = new_id()
        shop.publish(queue, request, correlation_id=correlation_id)
        reply, _ = shop.take(shop.queues.item_response, with_id(correlation_id))
        assert reply.json["message"] == "Item added"
    finally:
        shop.channel.queue_delete(shop.queues.item_response)


DIRECT = "amq.rabbitmq.reply-to"  # RabbitMQ's pseudo-queue, whose messages go to who published


@pytest.mark.parametrize("kind", REQUESTS)
def test_a_direct_reply_comes_once(broker, shop, kind):
    got = []
    with pika.BlockingConnection(pika.URLParameters(broker.url)) as connection:
        channel = connection.channel()
        channel.basic_consume(
            DIRECT, lambda *reply: got.append(reply[2].correlation_id), auto_ack=True
        )
        for number in "123":
            queue, request = request_of(shop, kind)
            properties = pika.BasicProperties(reply_to=DIRECT, correlation_id=number)
            channel.basic_publish("", queue, json.dumps(request), properties)
        while len(got) < 3:
            connection.process_data_events(time_limit=1)
        # A second reply to one of them would be there before the reply to a later request.
        shop.call(*request_of(shop, kind))
        connection.process_data_events(time_limit=0)
    assert sorted(got) == ["1", "2", "3"]


@pytest.mark.parametrize("kind", REQUESTS)
def test_a_reply_queue_that_does_not_exist_is_passed_over(shop, kind):
    queue, request = request_of(shop, kind)
    identity = new_id()
    for reply_to in ("no.such.queue", 255 * "x"):
        shop.publish(queue, request, reply_to=reply_to, message_id=identity)
    again = shop.call(queue, request, message_id=identity)
    assert again.replayed and again.json["success"]


@pytest.mark.parametrize("kind", REQUESTS)
def test_a_direct_reply_whose_client_has_gone_is_passed_over(broker, shop, kind):
    queue, request = request_of(shop, kind)
    identity = new_id()
    with pika.BlockingConnection(pika.URLParameters(broker.url)) as connection:
        channel = connection.channel()
        channel.basic_consume(DIRECT, lambda *reply: None, auto_ack=True)
        for _ in range(100):
            properties = pika.BasicProperties(reply_to=DIRECT, message_id=identity)
            channel.basic_publish("", queue, json.dumps(request), properties)
    again = shop.call(queue, request, message_id=identity)
    assert again.replayed and again.json["success"]


def test_requests_whose_replies_nobody_takes_are_acknowledged(broker, database, queues):
    with Service(broker.url, database.url, queues) as service, Client(broker.url, queues) as client:
        product = client.add(10)
        for number in range(5):
            order = {"order_id": number, "product_id": product, "quantity": 1}
            client.publish(queues.order, order, reply_to="no.such.queue")
            client.publish(queues.item, {"quantity": 1}, reply_to="no.such.queue")
        client.order({"order_id": "last", "product_id": product, "quantity": 1})
        client.item({"quantity": 1})
        assert service.stop() == 0
        assert client.count(queues.order) == 0
        assert client.count(queues.item) == 0
