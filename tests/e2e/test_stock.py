"""The command stock, and /items over HTTP: what is in the database, beside a running service."""

import json
import re
import time
import urllib.error
import urllib.parse
import urllib.request

from client import Client, new_id
from database import ANY_BYTES, Postgres
from servers import Server
from service import DEADLINE_S, Service, run


def command(database, *options):
    return run("stock", *options, DATABASE_URL=database.url)


def fill(broker, queues):
    """Three items, of which two are sold of the first."""
    with Client(broker.url, queues) as client:
        replies = [
            client.item({"quantity": quantity, "description": description}).json
            for quantity, description in ((5, 'Blue "T-shirt"'), (0, None), (7, "\x1b[31mred"))
        ]
        order = {"order_id": new_id(), "product_id": replies[0]["id"], "quantity": 2}
        assert client.order(order | {"hold_seconds": 3600}).json["success"]
    replies[0]["quantity"] = 3
    members = ("id", "quantity", "description", "created_at")
    return [
        {name: reply[name] for name in members} | {"held": held, "low_stock": None}
        for reply, held in zip(replies, (2, 0, 0), strict=True)
    ]


def test_stock_is_read_beside_a_running_service(broker, database, queues):
    with Service(broker.url, database.url, queues):
        items = fill(broker, queues)
        first, second, third = (str(item["id"]) for item in items)
        for options, expected in {
            (): items,
            ("--product-id", second): items[1:2],
            ("--after", first): items[1:],
            ("--limit", "2"): items[:2],
            ("--after", first, "--limit", "1"): items[1:2],
            ("--after", third): [],
        }.items():
            done = command(database, "--json", *options)
            assert done.returncode == 0, done.stderr
            assert [json.loads(line) for line in done.stdout.splitlines()] == expected, options
        table = command(database).stdout.splitlines()
        lines = [[first, "3", "2"], [second, "0", "0"], [third, "7", "0"]]
        assert [line.split()[:3] for line in table[1:]] == lines
        assert "\x1b" not in "".join(table)
        absent = command(database, "--product-id", "999999")
        assert absent.returncode == 1 and "no product 999999" in absent.stderr


def test_without_a_database_the_status_is_3(folder):
    for url in (f"sqlite:{folder}/{new_id()}", "postgresql://u:s3cret@127.0.0.1:1/inventory"):
        done = run("stock", DATABASE_URL=url)
        assert done.returncode == 3
        assert done.stderr.count("\n") == 1 and "s3cret" not in done.stderr


def get(service, path):
    """Status and body of an answer."""
    port = re.search(r"http: listening on \S+:(\d+)/", service.log).group(1)
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=DEADLINE_S) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_items_are_read_over_http(broker, database, queues):
    with Service(broker.url, database.url, queues) as service:
        items = fill(broker, queues)
        status, body = get(service, f"/items/{items[0]['id']}")
        assert (status, json.loads(body)) == (200, items[0])
        assert get(service, "/items/999999")[0] == 404
        assert get(service, "/items?limit=0")[0] == 400
        read, after = [], 0
        while after is not None:
            status, body = get(service, f"/items?after={after}&limit=2")
            assert status == 200, body
            page = json.loads(body)
            read += page["items"]
            after = page["next"]
        assert read == items


def pages(service, query):
    """The items of all pages, three at a time."""
    items, after = [], ""
    while after is not None:
        status, body = get(service, f"/items?{query}&limit=3{after and f'&after={after}'}")
        assert status == 200, body
        page = json.loads(body)
        items += page["items"]
        after = page["next"] and urllib.parse.quote(str(page["next"]))
    return items


def test_items_are_searched_and_sorted_over_http(broker, database, queues):
    with Service(broker.url, database.url, queues) as service:
        with Client(broker.url, queues) as client:
            stock = ((5, 9), (0, None), (7, 7), (8, 2), (1, None), (0, 3), (30, 4), (2, 1))
            for number, (quantity, low_stock) in enumerate(stock):
                item = {"quantity": quantity, "description": f"Socks {number} 100% 'wool'"}
                assert client.item(item | {"low_stock": low_stock}).json["success"]
            client.add(4)
        everything = pages(service, "sort=id")
        ids = [item["id"] for item in everything]
        socks = everything[:-1]
        search = urllib.parse.quote("% 'WOOL")
        assert pages(service, f"search={search}") == socks

        def order(sort, of=f"search={search}"):
            return [ids.index(item["id"]) for item in pages(service, f"{of}&sort={sort}")]

        assert order("quantity") == [1, 5, 4, 7, 0, 2, 3, 6]
        assert order("scarcity") == [1, 5, 0, 2, 3, 4, 6, 7]
        assert order("quantity", "") == [1, 5, 4, 7, 8, 0, 2, 3, 6]
        assert pages(service, "search=%25%25&sort=scarcity") == []
        for query in ("sort=name", "search=%ff", "sort=quantity&after=7"):
            assert get(service, f"/items?{query}")[0] == 400, query


def test_items_are_unavailable_while_the_database_is_away(broker, folder, queues):
    with Server("postgres", folder / f"postgres-{new_id()}") as postgres:
        database = Postgres.new_schema(postgres.url)
        with Service(broker.url, database.url, queues) as service:
            items = fill(broker, queues)
            postgres.stop()
            assert get(service, "/items")[0] == 503
            assert get(service, "/livez")[0] == 200
            postgres.start()
            end = time.monotonic() + DEADLINE_S
            while (answer := get(service, f"/items/{items[2]['id']}"))[0] != 200:
                assert time.monotonic() < end, answer
            assert json.loads(answer[1]) == items[2]


def test_a_row_that_cannot_be_shown_is_null_and_named(broker, postgres, queues):
    """Also text of a database that does not know its encoding; the rest of the page is there."""
    database = Postgres.new_database(postgres.url, ANY_BYTES)
    with Service(broker.url, database.url, queues) as service:
        fill(broker, queues)
        database.execute(
            "UPDATE inventory SET description = 'gr' || chr(252) || 'n' WHERE id = 1;"
            "UPDATE inventory SET created_at = 'infinity' WHERE id = 2;"
            "UPDATE inventory SET description = repeat('x', 70000) WHERE id = 3;"
            "ALTER TABLE inventory ALTER quantity DROP NOT NULL;"
            "UPDATE inventory SET quantity = NULL WHERE id = 2"
        )
        status, body = get(service, "/items")
        assert status == 200
        first, second, third = json.loads(body)["items"]
        assert first["description"] is None and first["quantity"] == 3
        assert second["created_at"] is None and second["quantity"] is None
        assert third["description"] is None and third["created_at"] is not None
        service.wait_for_log("item 1: description is no UTF-8")
        service.wait_for_log("item 2: quantity is no integer; created_at is no time")
        service.wait_for_log("item 3: description is longer than 64 KiB")
        done = command(database, "--json")
        assert done.returncode == 0
        assert len(done.stdout.splitlines()) == 3
        assert "item 2: quantity is no integer" in done.stderr
        assert command(database).returncode == 0


def test_stock_and_replies_hold_nothing_that_a_terminal_would_obey(broker, database, queues):
    harmful = "\x1b[31m\x7f\u009b31m\u202egpj"
    environment = {"AMQP_URL": broker.url, "DATABASE_URL": database.url}
    with Service(broker.url, database.url, queues):
        added = run(
            "add", *queues.options(), "--quantity=1", "--description", harmful, **environment
        )
        assert added.returncode == 0, added.stderr
        outputs = [added.stdout, command(database).stdout, command(database, "--json").stdout]
        for output in outputs:
            assert not set("\x1b\x7f\u009b\u202e") & set(output), output
        assert json.loads(outputs[0])["description"] == harmful
        assert json.loads(outputs[2])["description"] == harmful


def test_a_file_that_is_not_there_is_named_with_what_says_which_is_meant(folder):
    for name in ("stock", "verify"):
        done = run(name, DATABASE_URL=f"sqlite:{folder}/nowhere.db")
        assert done.returncode == 3
        assert "there is no such file" in done.stderr and "DATABASE_URL" in done.stderr
