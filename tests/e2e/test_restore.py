"""The commands of docs/recover.md for backups, as written there."""

import pathlib
import re
import subprocess
import textwrap

from client import Client
from database import Postgres, Sqlite, stock
from service import DEADLINE_S, Service, environment, run

PAGE = (pathlib.Path(__file__).resolve().parents[2] / "docs/recover.md").read_text()


def documented(first_words):
    """The command in the page that begins so."""
    return re.search(rf"`({re.escape(first_words)}[^`]*)`", PAGE)[1]


def shell(command, folder, **variables):
    subprocess.run(
        ["bash", "-c", command],
        env=environment(**variables),
        cwd=folder,
        check=True,
        stdin=subprocess.DEVNULL,
        timeout=DEADLINE_S,
    )


def psql(url, first_words, folder):
    """Feeds psql the block of the page that begins so."""
    block = re.search(rf"```sql\n( *{re.escape(first_words)}.*?)```", PAGE, re.DOTALL)[1]
    subprocess.run(
        ["psql", "-v", "ON_ERROR_STOP=1", url],
        input=textwrap.dedent(block),
        text=True,
        cwd=folder,
        check=True,
        timeout=DEADLINE_S,
    )


def age(database):
    """Orders that are called so were decided long ago."""
    database.execute(
        "UPDATE inventory_ledger SET decided_at = '2020-01-01' WHERE identity LIKE 'sold %'"
    )


def test_what_an_older_backup_misses_is_brought_over_from_the_lost_database(
    broker, postgres, folder, queues
):
    lost = Postgres.new_database(postgres.url)
    restored = Postgres(lost.url.rsplit("/", 1)[0] + "/restored")
    with Client(broker.url, queues) as client:
        with Service(broker.url, lost.url, queues):
            first = client.add(10)
            early = {"order_id": 1, "product_id": first, "quantity": 1}
            assert client.order(early).json["success"]
            held = [
                {"order_id": 4 + n, "product_id": client.add(3), "quantity": 1, "hold_seconds": 600}
                for n in range(2)
            ]
            assert client.order(held[0]).json["success"]
            old = [{"order_id": f"old {n}", "product_id": client.add(7), "quantity": 2} for n in range(2)]
            assert client.order(old[0]).json["success"]
            age(lost)
            shell(documented("pg_dump --format=custom"), folder, DATABASE_URL=lost.url)
            # One was in the backup before it was archived, one never was.
            assert client.order(old[1]).json["success"]
            age(lost)
            assert run("archive", "--older-than=1d", DATABASE_URL=lost.url).returncode == 0
            second = client.add(5)
            late = [
                {"order_id": 2, "product_id": first, "quantity": 9},
                {"order_id": "2", "product_id": first, "quantity": 1},
                {"order_id": 3, "product_id": second, "quantity": 2},
            ]
            replies = [client.order(order) for order in late]
            assert client.call(queues.confirm, held[0]).json["success"]
            assert client.order(held[1]).json["success"]
        for command in ("createdb", "pg_restore"):
            shell(documented(command), folder, DATABASE_URL=lost.url)
        assert stock(restored)[first] == 9 and second not in stock(restored)
        psql(lost.url, r"\copy inventory TO", folder)
        psql(restored.url, "CREATE TEMP TABLE items", folder)
        assert stock(restored) == stock(lost)
        assert stock(restored)[first] == 0 and stock(restored)[second] == 3
        holds = "SELECT product_id FROM inventory_hold"
        assert restored.query(holds) == [(held[1]["product_id"],)], "the other is confirmed"
        assert run("verify", DATABASE_URL=restored.url).returncode == 0
        with Service(broker.url, restored.url, queues):
            for order, reply in zip(late, replies, strict=True):
                again = client.order(order)
                assert again.replayed and again.json == reply.json
            assert client.call(queues.confirm, held[1]).json["success"]
            assert client.add(1) > second


def test_a_file_in_use_is_backed_up(broker, folder, queues):
    database = Sqlite(folder)
    with Client(broker.url, queues) as client, Service(broker.url, database.url, queues):
        client.add(10)
        for number, command in enumerate(("sqlite3 inventory.db \".t", "sqlite3 inventory.db \"V")):
            copy = folder / f"copy-{number}.db"
            command = documented(command).replace("inventory.db", str(database.path))
            shell(command.replace("backup.db", str(copy)), folder)
            done = run("verify", DATABASE_URL=f"sqlite:{copy}")
            assert done.stdout == "1 products compared, 0 disagree\n", done.stderr
