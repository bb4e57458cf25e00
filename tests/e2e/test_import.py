"""The command import: adds the items of a CSV file, or does its adjustments."""

import contextlib
import csv as csv_module
import dataclasses
import io
import subprocess

import pytest

from client import Client, new_id
from database import stock
from killing_gate import KillingGate
from service import DEADLINE_S, PROGRAM, Service, environment, run

ROWS = [(n, f'Item "{n}", size {n % 3}\nsecond line' if n % 5 == 0 else None) for n in range(250)]


def csv(rows):
    lines = ["quantity,description"]
    for quantity, description in rows:
        quoted = "" if description is None else '"%s"' % description.replace('"', '""')
        lines.append(f"{quantity},{quoted}")
    return "\r\n".join(lines) + "\r\n"


@pytest.fixture
def file(folder):
    return folder / f"{new_id()}.csv"


def command(broker, queues, file, *options):
    return run("import", str(file), *queues.options(), *options, AMQP_URL=broker.url)


def items(database):
    return database.query("SELECT quantity, description FROM inventory ORDER BY id")


def test_import_adds_each_row_once(broker, database, queues, file):
    file.write_text(csv(ROWS), newline="")
    with Service(broker.url, database.url, queues):
        for summary in ("250 added, 0 were there already", "0 added, 250 were there already"):
            done = command(broker, queues, file)
            assert done.returncode == 0, done.stderr
            assert summary in done.stdout
        # Moved, and one more: the others are recognised.
        file.write_text(csv([(7, "new"), *reversed(ROWS)]), newline="")
        done = command(broker, queues, file)
        assert "1 added, 250 were there already" in done.stdout
    assert sorted(items(database), key=str) == sorted([*ROWS, (7, "new")], key=str)


def test_standard_input_is_a_file(broker, database, queues):
    with Service(broker.url, database.url, queues):
        for name, summary in (("a", "1 added"), ("a", "1 were there"), ("b", "1 added")):
            done = subprocess.run(
                [PROGRAM, "import", "-", "--name", name, *queues.options()],
                env=environment(AMQP_URL=broker.url),
                input="quantity,description\n1,x",
                capture_output=True,
                text=True,
                timeout=DEADLINE_S,
            )
            assert done.returncode == 0, done.stderr
            assert summary in done.stdout
    assert items(database) == [(1, "x"), (1, "x")]


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_bad_rows_are_named_and_nothing_is_sent(broker, database, queues, file):
    file.write_text('quantity,description\n1,"two\nlines"\n-1,x\n2,y\n3\n')
    with Service(broker.url, database.url, queues):
        done = command(broker, queues, file)
        assert done.returncode == 1
        assert f"{file.name}:4: quantity takes a whole number" in done.stderr
        assert f"{file.name}:6: 1 fields" in done.stderr
        assert "nothing was sent" in done.stderr
        done = command(broker, queues, file, "--dry-run")
        assert done.returncode == 1 and "2 bad and 2 good rows" in done.stderr
        done = command(broker, queues, file, "--skip-bad")
        assert done.returncode == 1 and "2 added" in done.stdout
        # Mended, it adds what was missing.
        file.write_text('quantity,description\n1,"two\nlines"\n1,x\n2,y\n3,\n')
        done = command(broker, queues, file)
        assert done.returncode == 0 and "2 added, 2 were there already" in done.stdout
    assert sorted(items(database), key=str) == [(1, "two\nlines"), (1, "x"), (2, "y"), (3, None)]


def import_and_kill_it(broker, queues, file):
    """At several points, and then whole."""
    for sent in (500, 2_000, 10_000, 30_000, 60_000, 90_000):
        processes = []
        with KillingGate(broker.url, sent, lambda: processes[0].kill()) as gate:
            processes.append(
                subprocess.Popen(
                    [PROGRAM, "import", str(file), *queues.options()],
                    env=environment(AMQP_URL=gate.url),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                )
            )
            processes[0].wait(timeout=DEADLINE_S)
    done = command(broker, queues, file)
    assert done.returncode == 0, done.stderr
    return done


def test_import_may_be_killed_at_any_point(broker, database, queues, file):
    rows = [(n % 7, None) for n in range(250)]  # many are alike
    file.write_text(csv(rows))
    with Service(broker.url, database.url, queues):
        import_and_kill_it(broker, queues, file)
    assert sorted(quantity for quantity, _ in items(database)) == sorted(q for q, _ in rows)
    assert sum(stock(database).values()) == sum(quantity for quantity, _ in rows)


def test_adjustments_may_be_killed_at_any_point(broker, database, queues, file):
    """Each row is done once, also where many are alike."""
    changes = [(1 + n % 3, 1 + n % 2) for n in range(250)]
    rows = [f"{product},+{change},delivery {n % 5}" for n, (product, change) in enumerate(changes)]
    items_file = file.with_suffix(".items")
    items_file.write_text("quantity,description\n" + "0,\n" * 3)
    file.write_text("\n".join(["product_id,change,reason", *rows]))
    wanted = {p: sum(c for product, c in changes if product == p) for p in (1, 2, 3)}
    with Service(broker.url, database.url, queues):
        assert command(broker, queues, items_file).returncode == 0
        done = import_and_kill_it(broker, queues, file)
        assert "0 rejected, 0 not answered" in done.stdout
        assert stock(database) == wanted
        # A count of one, and a loss that is more than there is.
        file.write_text("product_id,set_to\n1,7\n")
        assert "1 adjusted, 0 had been adjusted already" in command(broker, queues, file).stdout
        file.write_text("product_id,change\n1,-8\n")
        done = command(broker, queues, file)
        assert done.returncode == 1 and "1 rejected" in done.stdout
        assert f"{file.name}:2:" in done.stderr and "Not enough inventory" in done.stderr
        file.write_text("product_id,change\n1,1\n")
        off = command(broker, dataclasses.replace(queues, adjust="none"), file)
        assert off.returncode == 2 and "switched off" in off.stderr
    assert stock(database) == wanted | {1: 7}


@pytest.mark.parametrize("database", ["postgres"], indirect=True)
def test_adjustments_of_a_product_are_done_in_the_order_of_the_file(
    broker, database, queues, file
):
    """However many instances decide: each counts on those before it."""
    with contextlib.ExitStack() as stack:
        for _ in range(4):
            stack.enter_context(Service(broker.url, database.url, queues))
        file.write_text("quantity,description\n0,\n0,\n")
        assert command(broker, queues, file).returncode == 0
        file.write_text("product_id,change\n" + "1,+5\n2,+1\n1,-5\n" * 20)
        done = command(broker, queues, file)
        assert "60 adjusted" in done.stdout, done.stdout + done.stderr
        file.write_text("product_id,set_to\n" + "".join(f"1,{n}\n" for n in range(50)))
        assert command(broker, queues, file).returncode == 0
    assert stock(database) == {1: 49, 2: 20}


def counted(exported, counts):
    """The file of a stocktake as a spreadsheet saves it, with these counts by product."""
    rows = list(csv_module.DictReader(io.StringIO(exported)))
    for row in rows:
        row["counted"] = counts.get(int(row["product_id"]), "")
    text = io.StringIO()
    writer = csv_module.DictWriter(text, rows[0].keys())
    writer.writeheader()
    writer.writerows(rows)
    return "\ufeff" + text.getvalue()


def test_a_stocktake_leaves_alone_what_was_sold_meanwhile(broker, database, queues, file):
    with Service(broker.url, database.url, queues), Client(broker.url, queues) as client:
        descriptions = ("=1+1", 'Socks, "blue"\n', None, "\x1b[31mred", "shirt")
        for description in descriptions:
            assert client.item({"quantity": 10, "description": description}).json["success"]
        held = {"order_id": "held", "product_id": 1, "quantity": 4, "hold_seconds": 3600}
        assert client.order(held).json["success"]
        done = run("stock", "--csv", DATABASE_URL=database.url)
        assert done.returncode == 0 and "\x1b" not in done.stdout
        first, *rows = done.stdout.splitlines()
        assert first == "product_id,description,held,version,expected,counted"
        assert rows[0].startswith("1,\"'=1+1\",4,") and rows[0].endswith(",6,")
        # Two are sold while people count; of one, the same number comes in again.
        for number, product in enumerate((2, 5), 1):
            sold = {"order_id": number, "product_id": product, "quantity": 1}
            assert client.order(sold).json["success"]
        delivery = {"adjustment_id": 1, "product_id": 5, "change": 1}
        assert client.call(queues.adjust, delivery).json["success"]
        counts = {1: 5, 2: 8, 3: 10, 5: 7}
        file.write_text(counted(done.stdout, counts), newline="")
        before = command(broker, queues, file, "--dry-run")
        assert before.returncode == 0 and "would have sent 3 rows" in before.stdout
        for summary in ("2 adjusted, 0 had", "0 adjusted, 2 had been adjusted already"):
            done = command(broker, queues, file)
            assert done.returncode == 1, done.stderr
            assert summary in done.stdout and "1 rejected, 0 not answered" in done.stdout
            assert "1 as expected, 1 not counted" in done.stdout
            assert "1 changed since the export" in done.stdout
            assert f"{file.name}:3: product 2 has changed meanwhile, from 10 to 9" in done.stderr
        # What has changed is counted again.
        done = run("stock", "--csv", "--product-id", "2", DATABASE_URL=database.url)
        file.write_text(counted(done.stdout, {2: 8}), newline="")
        done = command(broker, queues, file)
        assert done.returncode == 0 and "1 adjusted" in done.stdout, done.stdout + done.stderr
    assert stock(database) == {1: 5, 2: 8, 3: 10, 4: 10, 5: 7}
    assert run("verify", DATABASE_URL=database.url).returncode == 0


def test_without_service_or_file_the_status_is_3(broker, client, queues, file):
    done = command(broker, queues, file)
    assert done.returncode == 3 and "No such file" in done.stderr
    file.write_text("amount\n1\n")
    done = command(broker, queues, file)
    assert done.returncode == 3 and "quantity,description" in done.stderr
    file.write_text("quantity,description\n1,\n")
    done = command(broker, queues, file)
    assert done.returncode == 3 and "there is no queue" in done.stderr
    client.channel.queue_declare(queues.item, durable=True)
    done = command(broker, queues, file, "--timeout", "1")
    assert done.returncode == 3 and "no reply for 1 s" in done.stderr
    assert "1 not answered" in done.stdout
