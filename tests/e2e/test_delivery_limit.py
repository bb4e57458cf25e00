"""Quorum queues that drop what is delivered too often: RabbitMQ 4 does by default."""

import signal

import psycopg2
import pytest

from client import Client, new_id
from database import Postgres, Sqlite
from service import Service
from waiting import wait_for

QUORUM = ["--queue-type=quorum"]
RETURNS = 22  # RabbitMQ 4's limit is 20


def ready(client, queue):
    return client.channel.queue_declare(queue, passive=True).method.message_count


@pytest.fixture
def quorum(broker, queues):
    """A client, and afterwards the end of the durable queues."""
    with Client(broker.url, queues) as client:
        yield client
        names = (queues.order, queues.item, queues.order_response)
        for queue in (*names, queues.order_dead, queues.item_dead):
            client.channel.queue_delete(queue)


def test_no_request_is_lost_however_often_the_service_is_killed(broker, postgres, queues, quorum):
    database = Postgres.new_schema(postgres.url)
    with Service(broker.url, database.url, queues, QUORUM):
        product = quorum.add(100)
    connection = psycopg2.connect(database.url)
    with connection, connection.cursor() as cursor:
        cursor.execute("LOCK TABLE inventory IN EXCLUSIVE MODE")  # it can be read
        orders = {
            new_id(): {"order_id": new_id(), "product_id": product, "quantity": 1}
            for _ in range(10)
        }
        for correlation_id, order in orders.items():
            quorum.publish(
                queues.order, order, reply_to=quorum.reply_to, correlation_id=correlation_id
            )
        wait_for(lambda: ready(quorum, queues.order) == len(orders), "they are there")
        for _ in range(RETURNS):
            service = Service(broker.url, database.url, queues, QUORUM).start()
            wait_for(lambda: ready(quorum, queues.order) == 0, "it has all in hand")
            service.stop(by=signal.SIGKILL)
            wait_for(lambda: ready(quorum, queues.order) == len(orders), "they are back")
        connection.rollback()
    connection.close()
    with Service(broker.url, database.url, queues, QUORUM) as service:
        answered = {quorum.receive().properties.correlation_id for _ in orders}
        assert answered == set(orders)
        service.wait_for_log(f"a request was delivered {RETURNS} times before")


def test_a_limit_of_a_queue_that_others_declared_is_told(broker, folder, queues, quorum):
    arguments = {"x-queue-type": "quorum", "x-delivery-limit": 6, "x-max-length": 1000}
    quorum.channel.queue_declare(queues.order, durable=True, arguments=arguments)
    quorum.publish(queues.order, {"order_id": "wrong"}, reply_to=quorum.reply_to)
    for _ in range(4):
        with Client(broker.url) as other:
            wait_for(lambda: other.channel.basic_get(queues.order)[0], "it is in the queue")
    with Service(broker.url, Sqlite(folder).url, queues) as service:
        note = f"{queues.order}: the broker drops a request that was delivered more than 6 times"
        service.wait_for_log(note)
        status, page = service.get("/readyz?verbose")
        assert status == 200 and f"[+]delivery_limit ok: {note}" in page
        metrics = service.metrics()
        assert metrics[f'inventory_delivery_limit{{queue="{queues.order}"}}'] == 6
        assert metrics[f'inventory_delivery_limit{{queue="{queues.item}"}}'] == 0
        service.wait_for_log(f"{queues.order}: a request was delivered 4 times before")
        assert "Invalid order" in quorum.receive().json["message"]


@pytest.mark.parametrize("kind", ["classic", "quorum"])
def test_nothing_is_said_of_queues_of_its_own(broker, folder, queues, quorum, kind):
    for _ in range(2):  # made, and joined
        options = [f"--queue-type={kind}"]
        with Service(broker.url, Sqlite(folder).url, queues, options) as service:
            assert "[+]delivery_limit ok\n" in service.get("/readyz?verbose")[1]
            assert "drops" not in service.log
