"""Broker, database or service are killed under load: nothing is lost, nothing decided twice.

With a broker and a PostgreSQL of its own, since they die here.
"""

import contextlib
import random

import pytest

from client import Client, new_id
from database import Postgres, Sqlite, stock
from load import Load
from service import Service
from waiting import wait_for

ORDERS = 2_000
STOCK = 1_000  # of each of three products: less than is asked for


def add_products(url, queues):
    with Client(url, queues) as client:
        return {client.add(STOCK): STOCK for _ in range(3)}


def orders_for(products):
    chance = random.Random(20261123)
    return [
        {
            "order_id": new_id(),
            "product_id": chance.choice(list(products)),
            "quantity": chance.randint(1, 3),
        }
        for _ in range(ORDERS)
    ]


def assert_no_dead_letters(url, queues):
    with Client(url) as client:
        assert client.count(queues.order_dead) == 0


@pytest.mark.parametrize("way", ["kill", "stop"])
def test_the_broker_goes_and_comes_back(own_broker, own_database, queues, way):
    with Service(own_broker.url, own_database.url, queues) as service:
        products = add_products(own_broker.url, queues)
        with Load(own_broker.url, queues, orders_for(products)) as load:
            load.wait_for_answers(ORDERS // 10)
            getattr(own_broker, way)()
            own_broker.start()
            load.wait_for_all()
        assert_no_dead_letters(own_broker.url, queues)
        assert service.stop() == 0
    load.assert_decided_once(products, stock(own_database))


def test_postgres_goes_and_comes_back(own_broker, own_postgres, queues):
    database = Postgres.new_schema(own_postgres.url)
    with Service(own_broker.url, database.url, queues) as service:
        products = add_products(own_broker.url, queues)
        with Load(own_broker.url, queues, orders_for(products)) as load:
            for answers in (ORDERS // 10, ORDERS // 2):
                load.wait_for_answers(answers)
                own_postgres.kill()
                own_postgres.start()
            load.wait_for_all()
        assert_no_dead_letters(own_broker.url, queues)
        assert service.stop() == 0
    load.assert_decided_once(products, stock(database))


@contextlib.contextmanager
def standby_away(server):
    """Commits wait for a synchronous standby that does not come."""
    database = Postgres(server.url)
    database.execute("ALTER SYSTEM SET synchronous_standby_names = 'away'")
    database.execute("SELECT pg_reload_conf()")
    try:
        yield
    finally:
        database.execute("ALTER SYSTEM RESET synchronous_standby_names")
        database.execute("SELECT pg_reload_conf()")


@pytest.mark.parametrize("kind", ["new item", "order for no product", "order"])
@pytest.mark.parametrize("way", ["its wait is cancelled", "the server restarts"])
def test_what_no_standby_has_yet_is_not_answered_though_the_primary_shows_it(
    own_broker, own_postgres, queues, kind, way
):
    database = Postgres.new_schema(own_postgres.url)
    waiting = "SELECT pid, xact_start FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
    with Service(own_broker.url, database.url, queues), Client(own_broker.url, queues) as client:
        product = client.add(1) if kind == "order" else 999
        with standby_away(own_postgres):
            about = {"reply_to": client.reply_to, "message_id": new_id()}
            if kind == "new item":
                client.publish(queues.item, {"quantity": 1}, **about)
            else:
                order = {"order_id": new_id(), "product_id": product, "quantity": 1}
                client.publish(queues.order, order, **about)
            first = wait_for(lambda: database.query(waiting), "the commit waits")
            if way == "the server restarts":
                own_postgres.kill()
                own_postgres.start()
            else:
                database.query(f"SELECT pg_cancel_backend({first[0][0]})")

            def waits_again_or_is_answered():
                client.connection.process_data_events()
                return client.inbox or database.query(waiting) not in ([], first)

            wait_for(waits_again_or_is_answered, "the request is tried again")
            assert not client.inbox
        reply = client.receive()
        assert reply.replayed
        assert reply.json["success"] is (kind != "order for no product")


def test_the_service_is_killed_and_started_again(own_broker, own_database, queues):
    service = Service(own_broker.url, own_database.url, queues)
    with service:
        products = add_products(own_broker.url, queues)
        with Load(own_broker.url, queues, orders_for(products)) as load:
            for answers in (ORDERS // 10, ORDERS // 4, ORDERS // 2):
                load.wait_for_answers(answers)
                service.process.kill()
                service.process.wait()
                service = Service(own_broker.url, own_database.url, queues).start().wait_ready()
            load.wait_for_all()
        assert service.stop() == 0
    load.assert_decided_once(products, stock(own_database))


def test_the_service_waits_for_a_broker_that_is_not_there_yet(own_broker, folder, queues):
    own_broker.stop()
    service = Service(own_broker.url, Sqlite(folder).url, queues).start()
    try:
        service.wait_for_log(f"127.0.0.1:{own_broker.port}")
    finally:
        own_broker.start()
    with Client(own_broker.url, queues) as client:
        service.wait_ready()
        assert client.item({"quantity": 1}).json["success"]
    assert service.stop() == 0


def test_the_service_waits_for_a_database_that_is_not_there_yet(own_broker, own_postgres, queues):
    database = Postgres.new_schema(own_postgres.url)
    own_postgres.stop()
    service = Service(own_broker.url, database.url, queues).start()
    try:
        service.wait_for_log(f"127.0.0.1:{own_postgres.port}")
    finally:
        own_postgres.start()
    with Client(own_broker.url, queues) as client:
        service.wait_ready()
        assert client.item({"quantity": 1}).json["success"]
    assert service.stop() == 0


def test_the_service_can_be_stopped_while_the_broker_is_away(own_broker, folder, queues):
    with Service(own_broker.url, Sqlite(folder).url, queues) as service:
        own_broker.kill()
        try:
            assert service.stop() == 0
        finally:
            own_broker.start()


def test_the_service_can_be_stopped_while_postgres_is_away(own_broker, own_postgres, queues):
    database = Postgres.new_schema(own_postgres.url)
    with Service(own_broker.url, database.url, queues) as service:
        with Client(own_broker.url, queues) as client:
            own_postgres.kill()
            try:
                client.publish(queues.item, {"quantity": 1}, reply_to=client.reply_to)
                assert service.stop() == 0
                client.take(queues.item)  # it went back for the next instance
            finally:
                own_postgres.start()


def test_a_queue_that_is_deleted_is_declared_again(broker, database, client, queues):
    with Service(broker.url, database.url, queues) as service:
        for queue in (queues.order, queues.item):
            client.channel.queue_delete(queue)
            service.wait_for_log(f"{queue}: taking requests", times=2)
            assert client.exists(queue, durable=True)
        product = client.add(1)
        order = {"order_id": 1, "product_id": product, "quantity": 1}
        assert client.order(order).json["success"]


def test_another_host_is_taken_where_the_first_does_not_answer(broker, database, client, queues):
    url = broker.url.replace("127.0.0.1", "127.0.0.1:1,127.0.0.1")
    with Service(url, database.url, queues):
        assert client.item({"quantity": 1}).json["success"]


def test_a_second_instance_on_one_sqlite_file_waits_for_its_turn(broker, folder, client, queues):
    database = Sqlite(folder)
    second = Service(broker.url, database.url, queues)
    with Service(broker.url, database.url, queues) as first:
        second.start().wait_for_log("one instance a file")
        assert client.item({"quantity": 1}).json["success"]
        assert first.stop() == 0
    with second:
        assert client.item({"quantity": 1}).json["success"]
