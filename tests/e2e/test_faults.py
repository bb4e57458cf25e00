"""Faults that last: what the service does meanwhile, says, and does by itself when they are over.

With a broker and a PostgreSQL of its own. What only breaks is in test_recovery.py.
"""

import contextlib
import json
import os
import signal
import subprocess

import psycopg2
import pytest

from client import Client, new_id
from database import Postgres, stock
from servers import SCRIPTS, Server
from service import DEADLINE_S, Service
from waiting import wait_for

SMALL_FRAME = 8192
LARGEST = 65_536  # bytes of a message that the broker takes


@pytest.fixture(scope="module")
def own_broker(folder):
    home = folder / "faulty-rabbitmq"
    home.mkdir()
    home.joinpath("rabbitmq.conf").write_text(
        f"frame_max = {SMALL_FRAME}\nmax_message_size = {LARGEST}\n"
    )
    with Server("rabbitmq", home) as server:
        yield server


@pytest.fixture
def shirts(own_broker, own_postgres, queues):
    """A service on PostgreSQL, a client, and a product of which are many."""
    database = Postgres.new_schema(own_postgres.url)
    with Service(own_broker.url, database.url, queues, ["--log-level=debug"]) as service:
        with Client(own_broker.url, queues) as client:
            yield Shirts(service, client, database, client.add(1_000))
        assert service.stop() == 0


class Shirts:
    def __init__(self, service, client, database, product):
        self.service, self.client, self.database, self.product = service, client, database, product

    def publish(self, **properties):
        """Sends an order and returns its id."""
        order_id = new_id()
        order = {"order_id": order_id, "product_id": self.product, "quantity": 1}
        self.client.publish(
            self.client.queues.order, order, reply_to=self.client.reply_to, **properties
        )
        return order_id

    def wait_for_answer(self, order_id):
        reply = self.client.receive(lambda message: message.json["order_id"] == order_id)
        assert reply.json["success"], reply.json
        return reply

    def order(self):
        return self.wait_for_answer(self.publish())


def ctl(broker, *arguments):
    done = subprocess.run(
        [SCRIPTS / "private-rabbitmq", "ctl", broker.folder, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout


def sessions(database):
    """The process ids of the service's connections to PostgreSQL."""
    return [
        pid
        for (pid,) in database.query(
            "SELECT pid FROM pg_stat_activity WHERE application_name = 'inventory-service'"
        )
    ]


def test_during_a_memory_alarm_answers_wait_and_go_out_when_it_is_over(own_broker, shirts):
    service = shirts.service
    # An alarm blocks clients that publish as well: these orders arrive before it.
    os.kill(service.process.pid, signal.SIGSTOP)
    ids = [shirts.publish() for _ in range(100)]
    shirts.client.count(shirts.client.queues.order)
    with own_broker.memory_alarm():
        os.kill(service.process.pid, signal.SIGCONT)
        service.wait_for_log("the broker takes no messages: low on memory")
    service.wait_for_log("the broker takes messages again")
    for order_id in ids:
        assert not shirts.wait_for_answer(order_id).replayed
    assert "trying again" not in service.log, "it keeps its connections"
    assert stock(shirts.database)[shirts.product] == 900


@contextlib.contextmanager
def short_consumer_timeout(broker):
    """For channels that are opened inside."""
    settings = "application:set_env(rabbit, consumer_timeout, {}), " \
        "application:set_env(rabbit, channel_tick_interval, {})."
    ctl(broker, "eval", settings.format(3_000, 1_000))
    try:
        yield
    finally:
        ctl(broker, "eval", settings.format(1_800_000, 60_000))


def test_an_alarm_that_outlasts_the_consumer_timeout_costs_one_redelivery(own_broker, shirts):
    queue = shirts.client.queues.order
    assert shirts.service.stop() == 0
    with short_consumer_timeout(own_broker):
        with Service(own_broker.url, shirts.database.url, shirts.client.queues) as service:
            os.kill(service.process.pid, signal.SIGSTOP)
            ids = [shirts.publish() for _ in range(3)]
            shirts.client.count(queue)  # they have arrived
            with own_broker.memory_alarm():
                os.kill(service.process.pid, signal.SIGCONT)
                service.wait_for_log("the broker takes no messages: low on memory")
                before = service.log.count("trying again")  # it was stopped for a while
                wait_for(lambda: shirts.client.count(queue) == len(ids), "the broker took them back")
                assert service.log.count("trying again") == before
            for order_id in ids:
                shirts.wait_for_answer(order_id)
            wait_for(lambda: shirts.client.count(queue) == 0, "the queue is empty")
            assert service.stop() == 0
            assert service.log.count("trying again") == before + 1
    assert stock(shirts.database)[shirts.product] == 997


def test_headers_that_fill_a_small_frame_do_not_stop_dead_letters(own_broker, shirts):
    queues = shirts.client.queues
    headers = {"theirs": "x" * (SMALL_FRAME - 200)}
    shirts.client.publish(queues.order, b"[]", reply_to=shirts.client.reply_to, headers=headers)
    assert not shirts.client.receive().json["success"]
    letter, _ = shirts.client.take(queues.order_dead)
    assert letter.headers["headers-dropped"] is True
    assert letter.headers["error-reason"] == "invalid"
    assert "theirs" not in letter.headers
    shirts.order()


def test_a_reply_that_the_broker_finds_too_large_holds_up_no_other(shirts):
    client, queue = shirts.client, shirts.client.queues.order
    order = {"order_id": new_id(), "product_id": shirts.product, "quantity": 1, "note": ""}
    order["note"] = "x" * (LARGEST - len(json.dumps(order)))
    for reply_to in (None, client.reply_to):
        order["order_id"] = new_id()
        client.publish(queue, order, reply_to=reply_to)
        shirts.service.wait_for_log("is larger than configured max size")
        shirts.order()
    assert client.count(shirts.client.queues.order_dead) == 0


def test_a_row_that_somebody_locks_is_waited_for(shirts):
    with contextlib.closing(psycopg2.connect(shirts.database.url)) as connection:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT 1 FROM inventory WHERE id = %s FOR UPDATE", (shirts.product,)
            )
            order_id = shirts.publish()
            shirts.service.wait_for_log("somebody else holds the lock of product")
    assert not shirts.wait_for_answer(order_id).replayed
    assert stock(shirts.database)[shirts.product] == 999


def test_a_database_that_stops_answering_is_given_up_and_taken_again(own_postgres, shirts):
    pids = sessions(shirts.database)
    assert pids
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        order_id = shirts.publish()
        shirts.service.wait_for_log("the server did not answer in time")
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
    shirts.wait_for_answer(order_id)
    assert stock(shirts.database)[shirts.product] == 999


def test_one_of_several_postgres_hosts_is_enough(own_broker, own_postgres, queues):
    database = Postgres.new_schema(own_postgres.url)
    url = database.url.replace("127.0.0.1", "127.0.0.1:1,127.0.0.1")
    with Service(own_broker.url, url, queues) as service, Client(own_broker.url, queues) as client:
        product = client.add(1)
        order = {"order_id": 1, "product_id": product, "quantity": 1}
        assert client.order(order).json["success"]
        assert service.stop() == 0


def test_a_service_that_cannot_finish_in_time_ends_with_status_1(own_broker, own_postgres, queues):
    database = Postgres.new_schema(own_postgres.url)
    service = Service(own_broker.url, database.url, queues, ["--shutdown-budget=1"])
    with Client(own_broker.url, queues) as client:
        with service:
            shirt = client.add(1)
            pids = sessions(database)
            for pid in pids:
                os.kill(pid, signal.SIGSTOP)
            try:
                order = {"order_id": 1, "product_id": shirt, "quantity": 1}
                client.publish(queues.order, order, reply_to=client.reply_to)
                wait_for(lambda: client.count(queues.order) == 0, "the service took the request")
                assert service.stop() == 1
            finally:
                for pid in pids:
                    os.kill(pid, signal.SIGCONT)
            assert "delivers again what was in flight" in service.log
        with Service(own_broker.url, database.url, queues):
            assert client.receive().json["success"]
