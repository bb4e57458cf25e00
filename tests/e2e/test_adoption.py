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


BAD_TABLE = (
    "CREATE UNLOGGED TABLE inventory (id SERIAL PRIMARY KEY, quantity NUMERIC(12,3),"
    " description VARCHAR, created_at TIMESTAMP, sku TEXT NOT NULL);"
    "CREATE VIEW few AS SELECT sku FROM inventory WHERE quantity < 5;"
    "INSERT INTO inventory (quantity, sku) VALUES (0.5, 'a');"
)
OBSTACLES = ["UNLOGGED", "column sku", "view few", "with a fraction"]


def test_a_dry_run_says_what_would_be_done_and_changes_nothing(left_by_python):
    done = run("migrate", "--dry-run", DATABASE_URL=left_by_python.url)
    assert done.returncode == 0, done.stderr
    assert "schema public: the table inventory is adopted with its rows" in done.stdout
    assert left_by_python.query("SELECT to_regclass('inventory_migration')") == [(None,)]
    assert run("migrate", DATABASE_URL=left_by_python.url).returncode == 0
    done = run("migrate", "--dry-run", DATABASE_URL=left_by_python.url)
    assert done.returncode == 0
    assert "up to date" in done.stdout


def test_all_that_is_in_the_way_is_said_at_once_a_line_each(postgres):
    database = Postgres.new_database(postgres.url)
    database.execute(BAD_TABLE)
    dry = run("migrate", "--dry-run", DATABASE_URL=database.url)
    assert dry.returncode == 1
    done = run("migrate", DATABASE_URL=database.url)
    assert done.returncode == 3
    for text in OBSTACLES:
        assert len([line for line in dry.stdout.splitlines() if text in line]) == 1
        assert len([line for line in done.stderr.splitlines() if text in line]) == 1
    assert database.query("SELECT quantity::text FROM inventory") == [("0.500",)]


TABLE = (
    "CREATE TABLE inventory (id SERIAL PRIMARY KEY, quantity INTEGER, description VARCHAR,"
    " created_at TIMESTAMP); INSERT INTO inventory (quantity) VALUES (5), (6);"
)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (
            "ALTER TABLE inventory RENAME TO old; CREATE TABLE inventory AS TABLE old",
            ["index inventory_pkey of old", "inventory_id_seq belongs to column id of old"],
        ),
        (
            "CREATE INDEX inventory_hold_expires_at ON inventory (quantity)",
            ["index inventory_hold_expires_at is there already"],
        ),
        (
            "CREATE TABLE inventory_migration (id INTEGER)",
            ["table inventory_migration is there already"],
        ),
        ("ALTER SEQUENCE inventory_id_seq MAXVALUE 2", ["inventory_id_seq ends at 2"]),
        (
            "CREATE TYPE pair AS (before inventory); CREATE TABLE history (rows pair)",
            ["column rows of history"],
        ),
        (
            "CREATE FUNCTION closed() RETURNS event_trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE EXCEPTION 'the office is closed'; END $$;"
            "CREATE EVENT TRIGGER office ON table_rewrite EXECUTE FUNCTION closed()",
            ["the office is closed (P0001); PL/pgSQL function closed()"],
        ),
    ],
)
def test_what_postgresql_would_refuse_is_said_before_anything_changes(postgres, more, said):
    database = Postgres.new_database(postgres.url)
    database.execute(TABLE + more)
    dry = run("migrate", "--dry-run", DATABASE_URL=database.url)
    assert dry.returncode == 1, dry.stdout
    assert len(dry.stdout.splitlines()) == 1 + len(said)
    for text in said:
        assert text in dry.stdout
    assert run("migrate", DATABASE_URL=database.url).returncode == 3
    assert database.query("SELECT to_regclass('inventory_ledger')") == [(None,)]
    assert stock(database) == {1: 5, 2: 6}


def test_serve_waits_until_nothing_is_in_the_way(broker, postgres, queues):
    database = Postgres.new_database(postgres.url)
    database.execute(BAD_TABLE)
    service = Service(broker.url, database.url, queues)
    with service.running():
        for text in OBSTACLES:
            service.wait_for_log(text)
        database.execute(
            "DROP VIEW few; ALTER TABLE inventory DROP sku, SET LOGGED;"
            "UPDATE inventory SET quantity = 5"
        )
        service.wait_ready()
        assert "adopted with its rows" in service.log
    assert stock(database) == {1: 5}


def test_with_require_stock_no_empty_stock_is_made(broker, postgres, queues):
    database = Postgres.new_database(postgres.url)
    database.execute('CREATE TABLE "Inventory" (id INTEGER)')
    done = run("migrate", "--require-stock", DATABASE_URL=database.url)
    assert done.returncode == 3
    assert 'public."Inventory"' in done.stderr
    service = Service(broker.url, database.url, queues, ["--require-stock"])
    with service.running():
        service.wait_for_log("--require-stock, and there is no table inventory")
        database.execute(
            'DROP TABLE "Inventory";'
            "CREATE TABLE inventory (id SERIAL PRIMARY KEY, quantity INTEGER, description VARCHAR,"
            " created_at TIMESTAMP); INSERT INTO inventory (quantity) VALUES (7);"
        )
        service.wait_ready()
    assert stock(database) == {1: 7}


def test_the_log_says_that_an_empty_stock_was_made_and_what_looks_like_another(
    broker, postgres, queues
):
    database = Postgres.new_database(postgres.url)
    database.execute("CREATE SCHEMA shop; CREATE TABLE shop.inventory (id INTEGER)")
    with Service(broker.url, database.url, queues) as service:
        assert "schema public: there is no table inventory, so one without any item" in service.log
        assert "shop.inventory" in service.log


def test_no_row_is_hidden_by_row_level_security(broker, left_by_python, client, queues):
    left_by_python.execute(
        "DROP ROLE IF EXISTS e2e_reader; CREATE ROLE e2e_reader LOGIN;"
        "GRANT USAGE ON SCHEMA public TO e2e_reader"
    )
    assert run("migrate", DATABASE_URL=left_by_python.url).returncode == 0
    left_by_python.execute(
        "GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA public TO e2e_reader;"
        "ALTER TABLE inventory ENABLE ROW LEVEL SECURITY"
    )
    url = left_by_python.url.replace("postgres@", "e2e_reader@", 1)
    assert url != left_by_python.url
    service = Service(broker.url, url, queues)
    try:
        with service.running():
            service.wait_for_log("BYPASSRLS")
            left_by_python.execute("ALTER TABLE inventory DISABLE ROW LEVEL SECURITY")
            service.wait_ready()
            request = {"order_id": new_id(), "product_id": 1, "quantity": 1}
            assert client.order(request).json["success"]
            # Of the ledger alone, while the service runs: an outage like any other.
            left_by_python.execute("ALTER TABLE inventory_ledger ENABLE ROW LEVEL SECURITY")
            client.publish(queues.order, request | {"order_id": 7}, reply_to=client.reply_to)
            service.wait_for_log('security policy for table "inventory_ledger"')
            assert "a request waits, others go on" not in service.log
            left_by_python.execute("ALTER TABLE inventory_ledger DISABLE ROW LEVEL SECURITY")
            assert client.receive().json["success"]
    finally:
        left_by_python.execute("DROP OWNED BY e2e_reader; DROP ROLE e2e_reader")


@pytest.mark.parametrize(
    "tool", ["stock", "ledger --product-id 1", "verify", "archive --older-than 1d"]
)
def test_tools_say_to_migrate_instead_of_reading_older_tables(left_by_python, tool):
    said = run(*tool.split(), DATABASE_URL=left_by_python.url)
    assert said.returncode == 3
    assert "has version 0, this program needs" in said.stderr
    assert "run inventory-service migrate" in said.stderr
