"""What became of a product and of an order: the command ledger, and the same over HTTP."""

import datetime
import json
import urllib.parse

import pytest

from client import Client, new_id
from database import Postgres
from servers import Server
from service import Service, run
from waiting import wait_for

HARMFUL = "\x1b]52;c;eA==\x07\x1b[2J\u009b31m\u202egpj\"'</script><script>alert(1)\r\n"


def command(database, *options):
    return run("ledger", *options, DATABASE_URL=database.url)


def lines(database, *options):
    """What the command prints with --json."""
    done = command(database, "--json", *options)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def page(service, target):
    status, body = service.get(target)
    assert status == 200, body
    return json.loads(body)


def order_page(service, order_id, product, more=""):
    quoted = urllib.parse.quote(str(order_id), safe="")
    return page(service, f"/orders/{quoted}?product_id={product}{more}")


def fill(client, queues):
    """A product of which something of each kind became."""
    product = client.add(10)

    def ask(queue, request, success=True):
        assert client.call(queue, request | {"product_id": product}).json["success"] is success

    ask(queues.order, {"order_id": 42, "quantity": 2})
    ask(queues.order, {"order_id": "42", "quantity": 3, "hold_seconds": 3600})
    ask(queues.order, {"order_id": "A-17", "quantity": 100}, success=False)
    ask(queues.order, {"order_id": "A/18 é", "line_id": 1, "quantity": 1})
    ask(queues.order, {"order_id": "A/18 é", "line_id": "b", "quantity": 1, "hold_seconds": 60})
    ask(queues.confirm, {"order_id": "A/18 é", "line_id": "b"})
    ask(queues.cancel, {"order_id": 42})
    ask(queues.cancel, {"order_id": "early"})
    ask(queues.adjust, {"adjustment_id": 7, "set_to": 9, "expected": 5, "reason": "shelf"})
    return product


KINDS = [  # the newest first
    ("adjustment", 7, None, "adjusted", 9, 4, 9),
    ("cancellation", "early", None, "cancelled_first", 0, 0, 5),
    ("cancellation", 42, None, "cancelled", 2, 2, 5),
    ("confirmation", "A/18 é", "b", "confirmed", 1, 0, 3),
    ("order", "A/18 é", "b", "held", 1, -1, 3),
    ("order", "A/18 é", 1, "accepted", 1, -1, 4),
    ("order", "A-17", None, "not_enough_stock", 100, 0, 5),
    ("order", "42", None, "held", 3, -3, 5),
    ("order", 42, None, "accepted", 2, -2, 8),
    ("opening", None, None, "opening", 10, 10, 10),
]
MEMBERS = ("kind", "id", "line_id", "outcome", "quantity", "delta", "left")


def test_what_became_of_a_product_is_told_the_newest_first(broker, database, queues):
    with Service(broker.url, database.url, queues) as service:
        with Client(broker.url, queues) as client:
            product = fill(client, queues)
        entries = lines(database, "--product-id", str(product))
        assert [tuple(entry[name] for name in MEMBERS) for entry in entries] == KINDS
        assert entries[0]["set_to"] == 9 and entries[0]["expected"] == 5
        assert entries[0]["reason"] == "shelf" and entries[1]["reason"] is None
        assert entries[7]["hold_seconds"] == 3600 and "hold_seconds" not in entries[8]
        times = [datetime.datetime.fromisoformat(entry["time"]) for entry in entries]
        assert times == sorted(times, reverse=True)
        # The same over HTTP, and page by page.
        whole = {"product_id": product, "entries": entries, "next": None}
        assert page(service, f"/items/{product}/ledger") == whole
        read, more = [], "limit=3"
        while more:
            part = page(service, f"/items/{product}/ledger?{more}")
            read += part["entries"]
            more = part["next"] and f"limit=3&before={part['next']}"
        assert read == entries
        # For a person: a table, and where it goes on.
        table = command(database, "--product-id", str(product), "--limit", "3")
        assert table.returncode == 0
        head, first, *_, last = table.stdout.splitlines()
        assert head.split()[0] == "TIME" and "shelf" in first and len(table.stdout.splitlines()) == 5
        assert last.startswith("there are older entries: --before ")
        older = lines(database, "--product-id", str(product), "--before", last.split()[-1])
        assert older == entries[3:]
        assert service.get("/items/999999/ledger")[0] == 404
        assert service.get(f"/items/{product}/ledger?before=00")[0] == 400
        absent = command(database, "--product-id", "999999")
        assert absent.returncode == 1 and "no entry of product 999999" in absent.stderr


def test_what_became_of_an_order_is_told_whatever_the_type_of_its_id(broker, database, queues):
    with Service(broker.url, database.url, queues) as service:
        with Client(broker.url, queues) as client:
            product = fill(client, queues)
            other = client.add(1)
        found = order_page(service, 42, product)
        assert found["more"] is False
        number, text = found["orders"]
        assert (number["order_id"], number["state"], number["held"]) == (42, "cancelled", 0)
        assert [entry["kind"] for entry in number["entries"]] == ["cancellation", "order"]
        assert (text["order_id"], text["state"], text["held"]) == ("42", "held", 3)
        until = datetime.datetime.fromisoformat(text["held_until"])
        since = datetime.datetime.fromisoformat(text["entries"][0]["time"])
        assert abs(until - since - datetime.timedelta(hours=1)) < datetime.timedelta(minutes=1)
        arguments = ("--product-id", str(product), "--order-id", "42")
        assert lines(database, *arguments) == found["orders"]
        table = command(database, *arguments).stdout
        assert "order 42: cancelled\n" in table and 'order "42": held, 3 until 20' in table
        # Two lines, or one of them.
        both = order_page(service, "A/18 é", product)["orders"]
        assert [(line["line_id"], line["state"]) for line in both] == [
            ("b", "confirmed"),
            (1, "accepted"),
        ]
        assert order_page(service, "A/18 é", product, "&line_id=1")["orders"] == both[1:]
        assert order_page(service, "A-17", product)["orders"][0]["state"] == "rejected"
        assert order_page(service, "early", product)["orders"][0]["state"] == "cancelled"
        for target, status in {
            f"/orders/A-17?product_id={other}": 404,
            f"/orders/A-1?product_id={product}": 404,
            f"/orders/{'x' * 129}?product_id={product}": 404,
            f"/orders/%ff?product_id={product}": 404,
            f"/orders/%00?product_id={product}": 404,
            "/orders/A-17": 400,
        }.items():
            assert service.get(target)[0] == status, target
        absent = command(database, "--product-id", str(other), "--order-id", "A-17")
        assert absent.returncode == 1 and "no entry of this order" in absent.stderr


def test_what_clients_wrote_does_no_harm(broker, database, queues):
    longest = (HARMFUL * 10).encode()[:128].decode(errors="ignore")
    reason = HARMFUL.translate({number: " " for number in (*range(32), *range(127, 160))})
    with Service(broker.url, database.url, queues) as service:
        with Client(broker.url, queues) as client:
            product = client.add(10)
            for order_id in (HARMFUL, longest):
                order = {"order_id": order_id, "line_id": HARMFUL, "product_id": product}
                assert client.order(order | {"quantity": 1}).json["success"]
            adjustment = {"adjustment_id": HARMFUL, "product_id": product, "change": 1}
            adjusted = client.call(queues.adjust, adjustment | {"reason": reason})
            assert adjusted.json["success"], adjusted.json
        status, body = service.get(f"/items/{product}/ledger")
        assert status == 200
        entries = json.loads(body)["entries"]
        assert [entry["id"] for entry in entries] == [HARMFUL, longest, HARMFUL, None]
        assert entries[0]["reason"] == reason and entries[1]["line_id"] == HARMFUL
        assert order_page(service, longest, product)["orders"][0]["order_id"] == longest
        ids = ("--product-id", str(product), "--order-id", HARMFUL)
        outputs = [command(database, *ids[:2]), command(database, *ids)]
        outputs += [command(database, *options, "--json") for options in (ids[:2], ids)]
        for output in outputs:
            assert output.returncode == 0, output.stderr
            assert not set("\x1b\x07\r\x7f\u009b\u202e") & set(output.stdout), output.stdout
        assert json.loads(outputs[3].stdout)["order_id"] == HARMFUL


def test_an_order_of_long_ago_is_found_among_many(broker, postgres, queues):
    """By indexes: neither the newest entries of a product nor an order take longer than a moment."""
    database = Postgres.new_schema(postgres.url)
    with Service(broker.url, database.url, queues) as service:
        with Client(broker.url, queues) as client:
            product = fill(client, queues)
        database.execute(
            "INSERT INTO inventory_ledger (product_id, identity, outcome, quantity, delta,"
            " decided_at, quantity_after, version)"
            f" SELECT {product}, 's' || md5(n::text), 'accepted', 1, 0,"
            " now() + n * interval '1 millisecond', 9, 9 FROM generate_series(1, 200000) AS n;"
            "ANALYZE inventory_ledger"
        )
        assert len(page(service, f"/items/{product}/ledger")["entries"]) == 100
        states = [order["state"] for order in order_page(service, 42, product)["orders"]]
        assert states == ["cancelled", "held"]
        plan = database.query(
            "EXPLAIN (FORMAT JSON) SELECT * FROM inventory_ledger"
            f" WHERE product_id + 0 = {product} ORDER BY decided_at DESC LIMIT 100"
        )
        assert "inventory_ledger_decided_at" in json.dumps(plan)


@pytest.fixture
def pair(folder):
    """A PostgreSQL and its standby."""
    name = new_id()
    with Server("postgres", folder / f"{name}-primary") as primary:
        Postgres(primary.url).execute("ALTER SYSTEM SET max_standby_streaming_delay = 0")
        folder_of_standby = folder / f"{name}-standby"
        with Server("postgres", folder_of_standby, standby_of=primary.url) as standby:
            yield primary, standby


def test_pages_are_read_from_a_standby_over_a_connection_that_is_kept(broker, pair, queues):
    primary, standby = pair
    database = Postgres.new_database(primary.url)
    standby_url = database.url.replace(f":{primary.port}/", f":{standby.port}/")
    database.execute("CREATE ROLE reader LOGIN PASSWORD 's3cret'")
    read_url = standby_url.replace("postgres@", "reader:s3cret@")
    options = [f"--read-database-url={read_url}"]
    with Service(broker.url, database.url, queues, options) as service:
        service.wait_for_log(f"are read from postgresql://reader:***@127.0.0.1:{standby.port}/")
        database.execute(
            "GRANT SELECT ON inventory, inventory_ledger, inventory_hold, inventory_migration"
            " TO reader"
        )
        with Client(broker.url, queues) as client:
            product = fill(client, queues)
        wait_for(
            lambda: service.get(f"/items/{product}/ledger")[0] == 200
            and len(page(service, f"/items/{product}/ledger")["entries"]) == len(KINDS),
            "the standby has all of it",
        )

        def sessions():
            sql = "SELECT pid, state FROM pg_stat_activity WHERE usename = 'reader'"
            return Postgres(standby_url).query(sql)

        (first,) = sessions()
        for _ in range(20):
            assert page(service, f"/items/{product}")["quantity"] == 9
        wait_for(lambda: sessions() == [(first[0], "idle")], "one connection, which is idle")
        # One that is ended meanwhile is made again, and nobody sees it.
        Postgres(standby_url).query(f"SELECT pg_terminate_backend({first[0]})")
        assert page(service, f"/items/{product}")["quantity"] == 9
        assert sessions()[0][0] != first[0]
        # What replication cleans away ends no connection that is idle.
        pid = sessions()[0][0]
        database.execute(f"UPDATE inventory SET description = 'x' WHERE id = {product}")
        database.execute("VACUUM (FREEZE) inventory")
        wait_for(lambda: page(service, f"/items/{product}")["description"] == "x", "replicated")
        assert [session[0] for session in sessions()] == [pid]
        standby.stop()
        assert service.get(f"/items/{product}/ledger")[0] == 503
        assert service.get("/readyz")[0] == 200  # orders go on
        with Client(broker.url, queues) as client:
            order = {"order_id": 1, "product_id": product, "quantity": 1}
            assert client.order(order).json["success"]
        standby.start()
        wait_for(lambda: service.get(f"/items/{product}")[0] == 200, "the standby is read again")
        wait_for(lambda: page(service, f"/items/{product}")["quantity"] == 8, "replicated")
        assert "s3cret" not in service.log
    assert lines(Postgres(standby_url), "--product-id", str(product))
