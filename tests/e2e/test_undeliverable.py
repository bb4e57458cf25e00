"""One client's reply queue must not stop the answers of all others."""

import pika
import pytest

from client import Client, new_id
from service import Service
from waiting import wait_for

# RabbitMQ 3.10 closes the connection that publishes to these.
HARMFUL = ("amq.rabbitmq.reply-to.x.y", "amq.rabbitmq.reply-to.AAAA.BBBB")


def order(product):
    return {"order_id": new_id(), "product_id": product, "quantity": 1}


def test_an_address_on_which_the_broker_closes_the_connection_is_given_up(
    broker, database, queues
):
    with Service(broker.url, database.url, queues) as service, Client(broker.url, queues) as client:
        product = client.add(10)
        for address in HARMFUL:
            client.publish(queues.order, order(product), reply_to=address)
            client.publish(queues.item, {"quantity": 1}, reply_to=address, message_id=new_id())
        assert client.order(order(product)).json["message"] == "Inventory updated"
        assert client.item({"quantity": 1}, message_id=new_id()).json["success"]
        assert service.stop() == 0
        assert client.count(queues.order) == 0 and client.count(queues.item) == 0


def test_a_full_reply_queue_is_given_up(broker, database, queues):
    full = new_id()
    arguments = {"x-max-length": 1, "x-overflow": "reject-publish"}
    with Service(broker.url, database.url, queues) as service, Client(broker.url, queues) as client:
        product = client.add(10)
        client.channel.queue_declare(full, exclusive=True, arguments=arguments)
        for _ in range(3):
            client.publish(queues.order, order(product), reply_to=full)
        assert client.order(order(product)).json["message"] == "Inventory updated"
        assert client.count(full) == 1
        given_up = f'inventory_replies_given_up_total{{queue="{queues.order}"}}'
        wait_for(lambda: service.metrics()[given_up] == 2, "two replies are given up")
        assert service.metrics()[f'inventory_reconnects_total{{queue="{queues.order}"}}'] == 0


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_response_queue_that_is_exclusive_to_a_client_is_joined(broker, database, queues):
    with Client(broker.url, queues) as client:
        client.channel.queue_declare(queues.order_response, exclusive=True)
        client.consume(queues.order_response)
        with Service(broker.url, database.url, queues):
            product = client.add(10)
            client.channel.basic_publish(
                "",
                queues.order,
                b'{"order_id": 1, "product_id": %d, "quantity": 1}' % product,
                pika.BasicProperties(correlation_id="1"),
            )
            reply = client.receive(lambda message: message.properties.correlation_id == "1")
            assert reply.json["success"]
