"""`inventory-service verify`: whether the ledger explains the stock."""

import contextlib
import pathlib
import re
import sqlite3
import subprocess

import psycopg2
import pytest

from client import new_id
from load import Load
from service import DEADLINE_S, Service, run

ORDERS = 3_000


def verify(database):
    return run("verify", DATABASE_URL=database.url)


def test_ledger_and_stock_agree_beside_a_service_under_load(broker, database, client, queues):
    with Service(broker.url, database.url, queues) as service:
        products = [client.add(200) for _ in range(5)]
        orders = [
            {"order_id": new_id(), "product_id": products[number % 5], "quantity": 1 + number % 3}
            for number in range(ORDERS)
        ]
        with Load(broker.url, queues, orders) as load:
            for answers in (100, ORDERS // 2):
                load.wait_for_answers(answers)
                done = verify(database)
                assert done.returncode == 0, done.stdout + done.stderr
                assert done.stdout == "5 products compared, 0 disagree\n"
            load.wait_for_all()
        assert service.stop() == 0
    assert verify(database).stdout == "5 products compared, 0 disagree\n"


CORRECTIONS = re.findall(
    r"```sql\n(INSERT INTO inventory_ledger.*?)```",
    (pathlib.Path(__file__).resolve().parents[2] / "docs/recover.md").read_text(),
    re.DOTALL,
)


def test_a_documented_correction_by_hand_agrees(broker, database, client, queues):
    tool = {
        "postgres": ["psql", "-v", "ON_ERROR_STOP=1", database.url],
        "sqlite": ["sqlite3", "-bail", "-cmd", ".timeout 10000", getattr(database, "path", "")],
    }[database.kind]
    documented = CORRECTIONS[database.kind == "sqlite"]
    with Service(broker.url, database.url, queues):
        product = [client.add(10) for _ in range(7)][-1]
        assert product == 7
        database.execute("UPDATE inventory SET quantity = quantity + 5 WHERE id = 7")
        assert verify(database).returncode == 1
        subprocess.run(tool, input=documented, text=True, check=True, timeout=DEADLINE_S)
        assert client.order({"order_id": 1, "product_id": 7, "quantity": 15}).json["success"]
    assert verify(database).stdout == "7 products compared, 0 disagree\n"


def test_what_disagrees_is_printed_with_status_1(broker, database, client, queues):
    with Service(broker.url, database.url, queues):
        changed, right, gone = (client.add(quantity) for quantity in (5, 6, 7))
        database.execute(f"UPDATE inventory SET quantity = 8 WHERE id = {changed}")
        database.execute(f"DELETE FROM inventory WHERE id = {gone}")
        done = verify(database)
        assert right not in (changed, gone)
    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        f"product {changed}: stock 8, ledger 5, difference +3",
        f"product {gone}: not there, ledger 7",
        "3 products compared, 2 disagree",
    ]
    assert done.stderr == ""


@pytest.mark.parametrize("database", ["postgres"], indirect=True)
def test_a_role_that_may_only_read_can_verify(broker, database, client, queues):
    with Service(broker.url, database.url, queues):
        client.add(5)
    with contextlib.closing(psycopg2.connect(database.url)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_schema()")
            schema = cursor.fetchone()[0]
            role = f"reader_{schema[-8:]}"
            cursor.execute(f"CREATE ROLE {role} LOGIN")
            cursor.execute(f"GRANT USAGE ON SCHEMA {schema} TO {role}")
            cursor.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {role}")
    read_only = f"%20-cdefault_transaction_read_only%3Don%20-crole%3D{role}"
    done = run("verify", DATABASE_URL=database.url + read_only)
    assert done.stdout == "1 products compared, 0 disagree\n", done.stderr


@pytest.mark.parametrize(
    "url", ["sqlite:/nowhere/inventory.db", "postgresql://u:s3cret@127.0.0.1:1/inventory"]
)
def test_without_a_database_the_status_is_3(url):
    done = run("verify", DATABASE_URL=url)
    assert done.returncode == 3
    assert done.stdout == ""
    assert done.stderr.startswith("inventory-service: verify: ") and done.stderr.count("\n") == 1
    assert "s3cret" not in done.stderr
