"""docs/moving-over.md, step by step, with a stand-in for the Python service."""

import contextlib
import json
import pathlib
import re
import subprocess
import threading

import pika
import psycopg2
import pytest

from client import new_id
from database import Postgres, stock
from service import DEADLINE_S, Service, environment, run

PAGE = (pathlib.Path(__file__).resolve().parents[2] / "docs/moving-over.md").read_text()
PRODUCTS = 5
STOCK = 60


class PythonService:
    """What it does with orders: one at a time, the row locked, answered, acknowledged."""

    def __init__(self, amqp_url, database_url, queue, reply_to):
        self.amqp_url, self.database_url = amqp_url, database_url
        self.queue, self.reply_to = queue, reply_to
        self.decided = 0
        self.consuming, self.stopping = threading.Event(), threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self.thread.start()
        assert self.consuming.wait(DEADLINE_S)
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        self.stopping.set()
        self.thread.join(DEADLINE_S)
        assert not self.thread.is_alive()

    def _run(self):
        with contextlib.closing(psycopg2.connect(self.database_url)) as self.database:
            with contextlib.closing(
                pika.BlockingConnection(pika.URLParameters(self.amqp_url))
            ) as connection:
                channel = connection.channel()
                channel.queue_declare(self.queue, durable=True)
                channel.basic_qos(prefetch_count=1)
                channel.basic_consume(self.queue, self._on_order)
                self.consuming.set()
                while not self.stopping.is_set():
                    connection.process_data_events(time_limit=0.1)

    def _on_order(self, channel, method, properties, body):
        order = json.loads(body)
        message = self._decide(order["product_id"], order["quantity"])
        reply = {
            "order_id": order["order_id"],
            "success": message == "Inventory updated",
            "message": message,
            "order_data": order,
        }
        properties = pika.BasicProperties(correlation_id=properties.correlation_id)
        channel.basic_publish("", self.reply_to, json.dumps(reply).encode(), properties)
        channel.basic_ack(method.delivery_tag)
        self.decided += 1

    def _decide(self, product, quantity):
        with self.database, self.database.cursor() as cursor:
            cursor.execute("SELECT quantity FROM inventory WHERE id = %s FOR UPDATE", (product,))
            row = cursor.fetchone()
            if row is None:
                return "Product not found"
            if row[0] < quantity:
                return "Not enough inventory"
            left = row[0] - quantity
            cursor.execute("UPDATE inventory SET quantity = %s WHERE id = %s", (left, product))
            return "Inventory updated"


@pytest.fixture
def database(postgres):
    """As the Python service left it."""
    database = Postgres.new_database(postgres.url)
    database.execute(
        "CREATE TABLE inventory ("
        " id SERIAL NOT NULL, quantity INTEGER, description VARCHAR,"
        " created_at TIMESTAMP WITHOUT TIME ZONE DEFAULT now(), PRIMARY KEY (id));"
        f"INSERT INTO inventory (quantity) SELECT {STOCK} FROM generate_series(1, {PRODUCTS})"
    )
    return database


@pytest.fixture
def python(broker, database, queues, client):
    with PythonService(broker.url, database.url, queues.order, client.reply_to) as service:
        yield service


def send(client, count):
    for number in range(count):
        order = {"order_id": new_id(), "product_id": number % PRODUCTS + 1, "quantity": 1}
        client.publish(client.queues.order, order, reply_to=client.reply_to, correlation_id=new_id())


def sold(replies):
    return sum(reply.json["success"] for reply in replies)


def verify(database):
    return run("verify", DATABASE_URL=database.url)


def as_the_python_service_has_it(database):
    return database.url.replace("postgresql://", "postgresql+asyncpg://")


def shell(command, folder, database):
    """Runs a command of the page in Bash, as an operator would."""
    assert f"`{command}`" in PAGE
    subprocess.run(
        ["bash", "-c", command],
        env=environment(DATABASE_URL=as_the_python_service_has_it(database)),
        cwd=folder,
        check=True,
        stdin=subprocess.DEVNULL,
        timeout=DEADLINE_S,
    )


def test_the_commands_understand_the_url_of_the_python_service(database, folder):
    shell('pg_dump --format=custom --file=before.dump "${DATABASE_URL/+asyncpg/}"', folder, database)
    assert (folder / "before.dump").stat().st_size > 0
    shell('psql "${DATABASE_URL/+asyncpg/}"', folder, database)
    done = run("migrate", DATABASE_URL=as_the_python_service_has_it(database))
    assert done.returncode == 0, done.stderr


def test_with_a_pause(broker, database, queues, client, python):
    send(client, 100)
    before = client.receive_all(100)
    python.stop()
    send(client, 300)
    assert run("migrate", DATABASE_URL=database.url).returncode == 0
    with Service(broker.url, database.url, queues):
        after = client.receive_all(300)
    assert sold(before) + sold(after) == PRODUCTS * STOCK
    assert stock(database) == {product: 0 for product in range(1, PRODUCTS + 1)}
    assert verify(database).returncode == 0


def test_both_running(broker, database, queues, client, python):
    send(client, 50)
    client.receive_all(50)
    assert run("migrate", DATABASE_URL=database.url).returncode == 0
    with Service(broker.url, database.url, queues):
        by_python = python.decided
        send(client, 200)
        replies = client.receive_all(200)
        by_python = python.decided - by_python
        python.stop()
        assert 0 < by_python < 200, "both are to have taken part"
        assert sold(replies) == 200
        left = sum(stock(database).values())
        assert left == PRODUCTS * STOCK - 250
        assert verify(database).returncode == 1, "the ledger does not know what Python did"
        database.execute(re.search(r"```sql\n(.*?)```", PAGE, re.DOTALL)[1])
        send(client, left + 10)
        assert sold(client.receive_all(left + 10)) == left
    done = verify(database)
    assert done.returncode == 0, done.stdout


def test_going_back(broker, database, queues, client):
    with Service(broker.url, database.url, queues):
        send(client, 10)
        client.receive_all(10)
    with PythonService(broker.url, database.url, queues.order, client.reply_to):
        send(client, 10)
        assert sold(client.receive_all(10)) == 10
    assert sum(stock(database).values()) == PRODUCTS * STOCK - 20
