"""A database that the Python service left is taken over with its stock and ids."""

import pytest

from client import Client, new_id
from database import Postgres, stock
from service import Service, run

ROWS = {1: 10, 2: 0, 5: 2_147_483_647}


@pytest.fixture
def left_by_python(postgres):
    """As SQLAlchemy made it: the ids have a gap, and the sequence is where they end."""
    database = Postgres.new_database(postgres.url)
    database.execute(
        "CREATE TABLE inventory ("
        " id SERIAL NOT NULL, quantity INTEGER, description VARCHAR,"
        " created_at TIMESTAMP WITHOUT TIME ZONE DEFAULT now(), PRIMARY KEY (id));"
        "CREATE INDEX ix_inventory_id ON inventory (id);"
        + "".join(
            f"INSERT INTO inventory VALUES ({product}, {quantity}, 'item {product}');"
            for product, quantity in ROWS.items()
        )
        + "SELECT setval('inventory_id_seq', 5);"
    )
    return database


def test_stock_and_ids_are_taken_over(broker, left_by_python, client, queues):
    with Service(broker.url, left_by_python.url, queues):
        assert stock(left_by_python) == ROWS

        def order(product, quantity):
            request = {"order_id": new_id(), "product_id": product, "quantity": quantity}
            return client.order(request).json["message"]

        assert order(1, 10) == "Inventory updated"
        assert order(1, 1) == "Not enough inventory"
        assert order(2, 1) == "Not enough inventory"
        assert order(3, 1) == "Product not found"
        assert order(5, 2_147_483_647) == "Inventory updated"
        added = client.item({"quantity": 9_007_199_254_740_991}).json
        assert added["id"] > 5
        assert order(added["id"], 9_007_199_254_740_991) == "Inventory updated"
    descriptions = left_by_python.query("SELECT id, description FROM inventory WHERE id <= 5")
    assert dict(descriptions) == {product: f"item {product}" for product in ROWS}


def test_the_url_of_a_python_deployment_is_taken(broker, left_by_python, client, queues):
    url = left_by_python.url.replace("postgresql://", "postgresql+asyncpg://")
    with Service(broker.url, url, queues):
        request = {"order_id": new_id(), "product_id": 1, "quantity": 1}
        assert client.order(request).json["success"]


def test_migrate_adopts_it_too_and_once(left_by_python):
    for _ in range(2):
        done = run("migrate", DATABASE_URL=left_by_python.url)
        assert done.returncode == 0, done.stderr
        assert stock(left_by_python) == ROWS


def test_several_instances_adopt_it_at_once(broker, left_by_python, queues):
    services = [Service(broker.url, left_by_python.url, queues).start() for _ in range(4)]
    try:
        for service in services:
            service.wait_ready()
        with Client(broker.url, queues) as client:
            request = {"order_id": new_id(), "product_id": 1, "quantity": 10}
            assert client.order(request).json["success"]
    finally:
        assert [service.stop() for service in services] == [0, 0, 0, 0]
    assert stock(left_by_python) == ROWS | {1: 0}
