"""`inventory-service archive`: old entries leave the ledger, beside a service."""

import contextlib
import csv
import gzip
import os
import re
import signal
import subprocess
import threading

import psycopg2
import pytest

from client import Client, new_id
from database import Postgres, stock
from load import Load
from service import DEADLINE_S, PROGRAM, Service, run

OLD = "2020-01-01 00:00:00.000000"
COLUMNS = (
    "product_id identity outcome quantity delta decided_at quantity_after version reason terms "
    "message_hash"
).split()


def archive(database, *options):
    return run("archive", "--older-than=90d", *options, DATABASE_URL=database.url)


def years_pass(database):
    database.execute(f"UPDATE inventory_ledger SET decided_at = '{OLD}'")


def identities(database, product):
    found = database.query(f"SELECT identity FROM inventory_ledger WHERE product_id = {product}")
    return {identity for (identity,) in found}


def read_file(path):
    with gzip.open(path, "rt", newline="") as file:
        reader = csv.DictReader(file)
        assert reader.fieldnames == COLUMNS
        return list(reader)


def assert_agrees(database):
    done = run("verify", DATABASE_URL=database.url)
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_is_old_goes_into_the_file_and_the_stock_stays(
    broker, database, client, queues, tmp_path
):
    with Service(broker.url, database.url, queues):
        product = client.add(10)
        order = {"order_id": 'a"1', "product_id": product, "quantity": 2}
        assert client.order(order).json["success"]
        assert client.order(order | {"order_id": 2}).json["success"]
        assert client.call(queues.cancel, order | {"order_id": 2}).json["success"]
        held = order | {"order_id": 3, "hold_seconds": 3600}
        assert client.order(held).json["success"]
        years_pass(database)
        assert client.order(order | {"order_id": 4}).json["success"]

        path = tmp_path / "old.csv.gz"
        done = archive(database, f"--to={path}")
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == f"3 entries taken out into {path}\n"
        assert identities(database, product) == {"opening", "balance", "i3", "i4"}
        kept = read_file(path)
        assert [row["identity"] for row in kept] == ["ci2", "i2", 'sa"1']
        assert all(row["decided_at"] == f"{OLD}+00" for row in kept)
        assert sum(int(row["delta"]) for row in kept) == -2
        assert_agrees(database)

        again = archive(database, f"--to={tmp_path}")
        assert again.returncode == 0 and again.stdout == "0 entries taken out\n"
        assert list(tmp_path.iterdir()) == [path], "no file without entries"

        # An order whose hold is open is as it was; one that was taken out is new again.
        assert client.order(held).replayed
        assert client.call(queues.confirm, held).json["success"]
        assert not client.order(order | {"quantity": 3}).replayed
        assert stock(database) == {product: 1}
        assert_agrees(database)
        ledger = run("ledger", f"--product-id={product}", DATABASE_URL=database.url).stdout
        assert re.search(r"balance +brought forward +-2 +-2 ", ledger), ledger


def test_a_file_that_is_there_is_not_touched_and_nothing_is_taken_out(
    broker, database, client, queues, tmp_path
):
    with Service(broker.url, database.url, queues):
        product = client.add(10)
        assert client.order({"order_id": 1, "product_id": product, "quantity": 2}).json["success"]
    years_pass(database)
    path = tmp_path / "old.csv.gz"
    path.write_text("mine")
    done = archive(database, f"--to={path}")
    assert done.returncode == 3
    assert done.stderr == f"inventory-service: archive: {path}: File exists\n"
    assert path.read_text() == "mine"
    assert identities(database, product) == {"opening", "i1"}


def test_a_disk_that_is_full_takes_nothing_out(broker, postgres, client, queues, tmp_path):
    database = Postgres.new_schema(postgres.url)
    with Service(broker.url, database.url, queues):
        product = client.add(10)
        assert client.order({"order_id": 1, "product_id": product, "quantity": 2}).json["success"]
    years_pass(database)
    limited = subprocess.run(
        ["sh", "-c", 'ulimit -f 0; trap "" XFSZ; exec "$@"', "sh", PROGRAM, "archive",
         "--older-than=90d", "--to=old.csv.gz"],
        env=os.environ | {"DATABASE_URL": database.url},
        capture_output=True, text=True, timeout=DEADLINE_S, cwd=tmp_path,
    )
    assert limited.returncode == 3, limited.stdout
    assert "File too large" in limited.stderr
    assert not list(tmp_path.iterdir()), "nothing is in the way of the next try"
    assert identities(database, product) == {"opening", "i1"}


@pytest.mark.parametrize("age", ["23h", "0d", "soon", ""])
def test_what_was_decided_within_a_day_always_stays(age, database):
    done = run("archive", f"--older-than={age}", DATABASE_URL=database.url)
    assert done.returncode == 2 and "--older-than" in done.stderr


def test_beside_orders_and_killed_again_and_again(broker, database, queues, tmp_path):
    """Orders go on and are decided once, nothing is counted twice, and each entry is in a file."""
    killed = []
    stop = threading.Event()

    def archive_and_kill(number=0):
        while not stop.is_set():
            process = subprocess.Popen(
                [PROGRAM, "archive", "--older-than=90d", f"--to={tmp_path}/{number}.csv.gz"],
                env=os.environ | {"DATABASE_URL": database.url},
                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            )
            try:
                process.wait(0.03 + 0.02 * (number % 7))
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                killed.append(number)
            process.communicate(timeout=DEADLINE_S)
            number += 1

    with Service(broker.url, database.url, queues) as service:
        with Client(broker.url, queues) as client:
            products = {client.add(3_000): 3_000 for _ in range(3)}
            for number in range(600):
                product = list(products)[number % 3]
                order = {"order_id": f"old-{number:04}", "product_id": product, "quantity": 1}
                client.publish(queues.order, order)
            client.order({"order_id": "last", "product_id": 1, "quantity": 1})
        old = database.query("SELECT count(*) FROM inventory_ledger WHERE identity LIKE 'sold-%'")
        assert old == [(600,)]
        database.execute(f"UPDATE inventory_ledger SET decided_at = '{OLD}' WHERE identity LIKE 'sold-%'")
        before = stock(database)
        orders = [
            {"order_id": f"new-{number}", "product_id": list(products)[number % 3], "quantity": 1}
            for number in range(2_000)
        ]
        thread = threading.Thread(target=archive_and_kill)
        with Load(broker.url, queues, orders) as load:
            thread.start()
            load.wait_for_all()
            stop.set()
            thread.join(DEADLINE_S)
        assert not thread.is_alive()
        load.assert_decided_once(before, stock(database))
        done = archive(database, f"--to={tmp_path}/last.csv.gz")
        assert done.returncode == 0, done.stderr
        assert service.stop() == 0
    assert database.query("SELECT count(*) FROM inventory_ledger WHERE identity LIKE 'sold-%'") == [(0,)]
    assert_agrees(database)
    taken = set()
    for path in tmp_path.glob("*.csv.gz"):
        with contextlib.suppress(EOFError):  # killed within a member, before anything went
            with gzip.open(path, "rt", newline="") as file:
                taken |= {row["identity"] for row in csv.DictReader(file)}
    assert {f"sold-{number:04}" for number in range(600)} <= taken


@pytest.mark.parametrize("trouble", ["RAISE 'on hold'", "PERFORM pg_sleep(60)"])
def test_a_product_whose_trigger_fails_or_sleeps_costs_itself(
    broker, postgres, client, queues, trouble
):
    database = Postgres.new_schema(postgres.url)
    with Service(broker.url, database.url, queues):
        shirt, hat = client.add(10), client.add(10)
        for product in (shirt, hat):
            assert client.order({"order_id": 1, "product_id": product, "quantity": 1}).json["success"]
        years_pass(database)
        database.execute(
            "CREATE FUNCTION trouble() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            f" IF OLD.product_id = {shirt} THEN {trouble}; END IF; RETURN OLD; END $$;"
            "CREATE TRIGGER trouble BEFORE DELETE ON inventory_ledger FOR EACH ROW"
            " EXECUTE FUNCTION trouble()"
        )
        done = archive(database)
        assert (done.returncode, done.stdout) == (1, "1 entries taken out\n")
        assert "1 that are old stay: " in done.stderr
        assert "i1" in identities(database, shirt) and "i1" not in identities(database, hat)
        assert_agrees(database)


def test_a_row_that_somebody_keeps_costs_its_own_product(broker, postgres, client, queues):
    database = Postgres.new_schema(postgres.url)
    with Service(broker.url, database.url, queues):
        shirt, hat = client.add(10), client.add(10)
        for product in (shirt, hat):
            assert client.order({"order_id": 1, "product_id": product, "quantity": 1}).json["success"]
        years_pass(database)
        with contextlib.closing(psycopg2.connect(database.url)) as connection:
            connection.cursor().execute(f"SELECT FROM inventory WHERE id = {shirt} FOR UPDATE")
            done = archive(database)
        assert done.returncode == 1
        assert done.stdout == "1 entries taken out\n"
        assert "1 that are old stay: " in done.stderr
        assert "i1" in identities(database, shirt) and "i1" not in identities(database, hat)
        assert archive(database).returncode == 0
        assert "i1" not in identities(database, shirt)
