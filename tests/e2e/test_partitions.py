"""Partitions: queues, tables and instances for each share of the products."""

import contextlib
import hashlib
import json
import os

import psycopg2
import pytest

from client import Client, new_id
from database import Postgres
from servers import Server
from service import Queues, Router, Service, run

COUNT = 4


def command(*arguments, broker=None, database=None, queues=None, partition=f"all/{COUNT}"):
    """Runs a command with this partition, and what else it needs, from the environment."""
    variables = {"INVENTORY_PARTITION": partition}
    if broker:
        variables["AMQP_URL"] = broker.url
    if database:
        variables["DATABASE_URL"] = database
    if queues:
        variables |= {
            "INVENTORY_ORDER_QUEUE": queues.order,
            "INVENTORY_ITEM_QUEUE": queues.item,
            "INVENTORY_CANCEL_QUEUE": queues.cancel,
            "INVENTORY_CONFIRM_QUEUE": queues.confirm,
            "INVENTORY_ADJUST_QUEUE": queues.adjust,
            "INVENTORY_EXPIRY_QUEUE": queues.expiry,
            "INVENTORY_ORDER_RESPONSE_QUEUE": queues.order_response,
            "INVENTORY_ITEM_RESPONSE_QUEUE": queues.item_response,
        }
    return run(*arguments, **variables)


@contextlib.contextmanager
def serving(broker, url, queues, numbers=range(COUNT)):
    """An instance for each partition."""
    services = [
        Service(broker.url, url, queues, ["--partition", f"{number}/{COUNT}"]) for number in numbers
    ]
    with contextlib.ExitStack() as stack:
        for service in services:
            service.start()
        for service in services:
            stack.enter_context(service)
        yield services


def two_databases(postgres):
    """Databases whose names end with the partition's number."""
    first = Postgres.new_database(postgres.url)
    names = [f"{first.url}_{number}" for number in range(COUNT)]
    for url in names:
        first.execute(f"CREATE DATABASE {url.rsplit('/', 1)[1]}")
    return first.url + "_{partition}"


CITUS = os.environ.get("INVENTORY_TEST_CITUS_URL")
ON_CITUS = pytest.param(
    "citus",
    marks=pytest.mark.skipif(
        not CITUS, reason="INVENTORY_TEST_CITUS_URL names no database with Citus"
    ),
)


@pytest.fixture(params=["schemas", "databases", "files", ON_CITUS])
def url(request, folder):
    """Where partitions are: in one PostgreSQL, in a database each, in a file of SQLite each; on the
    nodes of a Citus, whose schemas are dropped first."""
    if request.param == "citus":
        for number in range(COUNT):
            Postgres(CITUS).execute(f"DROP SCHEMA IF EXISTS inventory_{number} CASCADE")
        return CITUS
    if request.param == "files":
        return f"sqlite:{folder}/{new_id()}-{{partition}}.db"
    server = request.getfixturevalue("postgres")
    if request.param == "schemas":
        return Postgres.new_database(server.url).url
    return two_databases(server)


def add(client, queues, number, **item):
    reply = client.call(f"{queues.item}.{number}", {"quantity": 10} | item).json
    assert reply["success"], reply
    return reply["id"]


def test_each_partition_decides_about_its_products_alone(broker, queues, url):
    with serving(broker, url, queues) as services, Client(broker.url, queues) as client:
        ids = [[add(client, queues, number) for _ in range(3)] for number in range(COUNT)]
        for number, given in enumerate(ids):
            assert [product % COUNT for product in given] == [number] * 3
            assert len(set(given)) == 3
        product = ids[3][0]
        order = {"order_id": new_id(), "product_id": product, "quantity": 4}
        assert client.call(f"{queues.order}.3", order).json["success"]

        # Beyond an id that a request has chosen.
        assert add(client, queues, 3, product_id=1003) == 1003
        assert add(client, queues, 3) == 1007

        status, metrics = services[3].get("/metrics")
        assert status == 200
        assert f'inventory_partition_info{{count="{COUNT}",partition="3"}} 1' in metrics or (
            f'inventory_partition_info{{partition="3",count="{COUNT}"}} 1' in metrics
        )
        assert f"3 of {COUNT}" in services[3].get("/readyz?verbose")[1]
        assert json.loads(services[3].get("/status")[1])["instance"]["partition"] == f"3 of {COUNT}"
        assert f"partition 3 of {COUNT}" in services[3].log

        # A reply to one that names no reply_to goes where it always goes.
        client.channel.queue_declare(f"{queues.cancel}_response", durable=True)
        client.consume(f"{queues.cancel}_response")
        client.publish(f"{queues.cancel}.3", {"order_id": order["order_id"], "product_id": product})
        assert client.receive().json["success"]


def test_what_is_for_another_partition_is_refused(broker, queues, url):
    with serving(broker, url, queues, [1]), Client(broker.url, queues) as client:
        id = new_id()
        for queue, request, message in (
            (queues.order, {"order_id": id, "product_id": 6, "quantity": 1}, "order"),
            (queues.cancel, {"order_id": id, "product_id": 6}, "cancellation"),
            (queues.confirm, {"order_id": id, "product_id": 6}, "confirmation"),
            (queues.adjust, {"adjustment_id": id, "product_id": 6, "change": 1}, "adjustment"),
            (queues.item, {"product_id": 6, "quantity": 1}, "item"),
        ):
            reply = client.call(f"{queue}.1", request).json
            assert not reply["success"]
            why = f"product 6 is in partition 2 of {COUNT}, this is 1"
            assert reply["message"] == f"Invalid {message}: {why}"
            letter, _ = client.take(f"{queue}.1.dlq")
            assert letter.headers["error-reason"] == "invalid"
        items = [{"product_id": 5, "quantity": 1}, {"product_id": 6, "quantity": 1}]
        reply = client.call(f"{queues.order}.1", {"order_id": id, "items": items}).json
        why = "its items lie in different partitions; hold and confirm them one by one"
        assert reply["message"] == f"Invalid order: {why}"


@contextlib.contextmanager
def two_servers(folder):
    """PostgreSQL servers for the even and for the odd partitions, and the URL of all four."""
    even = Server("postgres", folder / "even", LISTEN_ADDRESSES="127.0.1.0,127.0.1.2")
    odd = Server("postgres", folder / "odd", LISTEN_ADDRESSES="127.0.1.1,127.0.1.3")
    with even:
        odd.port = even.port
        with odd:
            yield (
                (even, odd),
                f"postgresql://postgres@127.0.1.{{partition}}:{even.port}/postgres",
            )


def test_partitions_lie_on_two_servers_and_one_goes_on_without_the_other(broker, queues, folder):
    with two_servers(folder) as ((even, odd), url):
        everywhere = {"broker": broker, "database": url, "queues": queues}
        assert command("migrate", **everywhere).returncode == 0
        with serving(broker, url, queues), Client(broker.url, queues) as client:
            products = [add(client, queues, number) for number in range(COUNT)]

            def order(product, **more):
                request = {"order_id": new_id(), "product_id": product, "quantity": 1} | more
                return client.call(f"{queues.order}.{product % COUNT}", request).json["success"]

            assert all(order(product) for product in products)
            assert all(order(product, hold_seconds=600) for product in products)
            listed = command("stock", "--json", **everywhere).stdout.splitlines()
            items = {item["id"]: item["quantity"] for item in map(json.loads, listed)}
            assert items == dict.fromkeys(products, 8)
            for server, numbers in ((even, {0, 2}), (odd, {1, 3})):
                schemas = Postgres(server.url).query(
                    "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'inventory!_%' ESCAPE '!'"
                )
                assert {name for (name,) in schemas} == {f"inventory_{n}" for n in numbers}

            odd.stop()
            waiting = {"order_id": new_id(), "product_id": products[1], "quantity": 1}
            client.publish(f"{queues.order}.1", waiting, reply_to=client.reply_to)
            for number in (0, 2):
                assert order(products[number])
            assert command("verify", **everywhere).returncode == 3
            odd.start()
            assert client.receive().json["success"]
            assert order(products[3])
        verified = command("verify", **everywhere)
        assert verified.returncode == 0, verified.stdout + verified.stderr
        assert verified.stdout.count("1 products compared, 0 disagree; 1 holds, 0 wrong") == COUNT


def test_a_hold_comes_back_in_its_partition(broker, queues, postgres):
    database = Postgres.new_database(postgres.url)
    with serving(broker, database.url, queues, [2]), Client(broker.url, queues) as client:
        product = add(client, queues, 2)
        order = {"order_id": new_id(), "product_id": product, "quantity": 4, "hold_seconds": 1}
        assert client.call(f"{queues.order}.2", order).json["success"]
        adjust = {"adjustment_id": new_id(), "product_id": product, "change": 6}
        assert client.call(f"{queues.adjust}.2", adjust).json["quantity"] == 12
        look = command("stock", "--json", "--product-id", str(product), database=database.url)
        while json.loads(look.stdout)["quantity"] != 16:
            look = command("stock", "--json", "--product-id", str(product), database=database.url)


def test_tools_over_one_partition_and_all(broker, queues, url, folder):
    everywhere = {"broker": broker, "database": url, "queues": queues}
    migrated = command("migrate", **everywhere)
    assert migrated.returncode == 0, migrated.stderr
    assert f"partition 3 of {COUNT}" in migrated.stderr
    assert command("migrate", "--dry-run", **everywhere).returncode == 0
    with serving(broker, url, queues), Client(broker.url, queues) as client:
        for product in (11, 4, 1, 2, 3, 8):
            added = command("add", "--quantity", "9", "--product-id", str(product), **everywhere)
            assert added.returncode == 0, added.stdout + added.stderr
        anywhere = command("add", "--quantity", "1", **everywhere)
        assert anywhere.returncode == 0
        new = json.loads(anywhere.stdout)["id"]

        done = command("stock", "--json", **everywhere)
        assert done.returncode == 0, done.stderr
        products = [json.loads(line)["id"] for line in done.stdout.splitlines()]
        assert products == sorted([1, 2, 3, 4, 8, 11, new])
        some = command("stock", "--json", "--after", "2", "--limit", "2", **everywhere)
        assert [json.loads(line)["id"] for line in some.stdout.splitlines()] == products[2:4]
        one = command("stock", "--json", "--product-id", "8", **everywhere)
        assert json.loads(one.stdout)["id"] == 8
        third = command("stock", "--json", **everywhere, partition=f"3/{COUNT}")
        assert {json.loads(line)["id"] % COUNT for line in third.stdout.splitlines()} == {3}

        order = ("--order-id", "A-1", "--item", "4:1", "--item", "8:2")
        assert command("order", *order, "--hold", "10m", **everywhere).returncode == 0
        assert command("confirm", *order, **everywhere).returncode == 0
        assert command("cancel", *order, **everywhere).returncode == 0
        adjusted = command("adjust", "--product-id", "11", "--change", "+5", **everywhere)
        assert adjusted.returncode == 0, adjusted.stderr
        apart = command("order", "--item", "4:1", "--item", "1:2", broker=broker, queues=queues)
        assert apart.returncode == 2 and "lie in different partitions" in apart.stderr
        wrong = command(
            "adjust", "--product-id", "4", "--change", "1", **everywhere, partition=f"3/{COUNT}"
        )
        assert wrong.returncode == 2
        assert f"product 4 is in partition 0 of {COUNT}, this is 3" in wrong.stderr
        told = command("ledger", "--product-id", "11", "--json", **everywhere)
        assert told.returncode == 0 and len(told.stdout.splitlines()) == 2

        file = folder / f"{new_id()}.csv"
        file.write_text("product_id,change\n1,1\n2,2\n3,3\n4,4\n")
        for done in ("4 adjusted, 0 had been", "0 adjusted, 4 had been"):
            imported = command("import", str(file), **everywhere)
            assert imported.returncode == 0, imported.stderr
            assert done in imported.stdout
        file.write_text("quantity,description\n" + "".join(f"1,item {n}\n" for n in range(8)))
        for done in ("8 added, 0 were there", "0 added, 8 were there"):
            assert done in command("import", str(file), **everywhere).stdout

        client.call(f"{queues.order}.2", {"order_id": 1, "product_id": 3, "quantity": 1})
        listed = command("dead-letters", "list", **everywhere)
        assert listed.returncode == 0 and f"{queues.order}.2.dlq" in listed.stdout
        purged = command("dead-letters", "purge", "--yes", **everywhere)
        assert purged.returncode == 0, purged.stderr

        verified = command("verify", **everywhere)
        assert verified.returncode == 0, verified.stdout + verified.stderr
        assert verified.stdout.count(", 0 disagree") == COUNT
        archived = command("archive", "--older-than", "1d", **everywhere)
        assert archived.returncode == 0, archived.stderr
        assert archived.stdout.count("0 entries taken out") == COUNT


def partition_of_item(message_id):
    """As docs/scale.md says."""
    return int.from_bytes(hashlib.sha256(message_id.encode()).digest()[:4], "big") % COUNT


@pytest.mark.parametrize("first", ["by import", "by the router"])
def test_a_new_item_comes_to_the_same_partition_by_every_way(broker, queues, folder, first):
    url = f"sqlite:{folder}/{new_id()}-{{partition}}.db"
    file = folder / f"{new_id()}.csv"
    file.write_text("quantity,description\n" + "".join(f"1,item {n}\n" for n in range(20)))
    ways = [f"all/{COUNT}", "none"]
    if first == "by the router":
        ways.reverse()
    router = Router(broker.url, queues, COUNT)
    with serving(broker, url, queues), router, Client(broker.url, queues) as client:
        for partition, done in zip(ways, ("20 added, 0 were there", "0 added, 20 were there")):
            imported = command(
                "import", str(file), broker=broker, queues=queues, partition=partition
            )
            assert imported.returncode == 0, imported.stderr
            assert done in imported.stdout

        # So does one from a client that knows the rule.
        for name in [*(new_id() for _ in range(8)), "Zoë \0"]:
            item = {"quantity": 1}
            number = partition_of_item(name)
            directly = client.call(f"{queues.item}.{number}", item, message_id=name)
            assert directly.json["id"] % COUNT == number
            routed = client.call(queues.item, item, message_id=name)
            assert routed.json["id"] == directly.json["id"]


def test_tables_know_whose_they_are(broker, queues, postgres, folder):
    url = Postgres.new_database(postgres.url).url
    assert command("migrate", database=url).returncode == 0
    # Of another count, of another number, undivided; and the reverse.
    other = command("migrate", database=url, partition="3/8")
    assert other.returncode == 3
    assert "the tables are those of partition 3/4, not of partition 3 of 8" in other.stderr
    undivided = f"{url}?options=-csearch_path%3Dinventory_3"
    for tool in ("migrate", "verify", "stock"):
        refused = run(tool, DATABASE_URL=undivided)
        assert refused.returncode == 3
        assert "the tables are those of partition 3/4, not of an undivided stock" in refused.stderr
    for tool in ("verify", "stock"):
        assert command(tool, database=url, partition="3/8").returncode == 3

    file = f"sqlite:{folder}/{new_id()}.db"
    assert run("migrate", DATABASE_URL=file).returncode == 0
    reverse = command("migrate", database=file, partition="0/1")
    assert reverse.returncode == 3
    assert "those of an undivided stock, not of partition 0 of 1" in reverse.stderr


def test_verify_finds_products_of_another_partition(postgres):
    database = Postgres.new_database(postgres.url)
    assert command("migrate", database=database.url).returncode == 0
    for product in (6, 7, -1):  # of partitions 2, 3 and 3
        database.execute(
            "INSERT INTO inventory_3.inventory (id, quantity, created_at)"
            f" VALUES ({product}, 0, now())"
        )
    found = command("verify", database=database.url, partition=f"3/{COUNT}")
    assert found.returncode == 1, found.stderr
    assert found.stdout.splitlines() == [
        f"product 6: belongs to partition 2 of {COUNT}",
        "3 products compared, 0 disagree; 1 in the wrong partition",
    ]
    assert command("verify", database=database.url).returncode == 1
    assert command("verify", database=database.url, partition=f"2/{COUNT}").returncode == 0


def test_settings_that_do_not_fit_are_refused(folder):
    done = command("migrate", database=f"sqlite:{folder}/stock.db")
    assert done.returncode == 2
    assert "write {partition} in its name: sqlite:inventory-{partition}.db" in done.stderr
    done = run("migrate", DATABASE_URL=f"sqlite:{folder}/stock-{{partition}}.db")
    assert done.returncode == 2
    assert "no {partition} without a partition" in done.stderr
    done = command("serve", database=f"sqlite:{folder}/stock-{{partition}}.db")
    assert done.returncode == 2
    assert "serve takes one of them" in done.stderr


def kinds_of_rows(database):
    """What an undivided stock has, by table."""
    return {
        table: database.query(f"SELECT count(*) FROM {table}")[0][0]
        for table in ("inventory", "inventory_ledger", "inventory_item_request", "inventory_hold")
    }


def in_partitions(database):
    counts = {}
    for number in range(COUNT):
        for table in ("inventory", "inventory_ledger", "inventory_item_request", "inventory_hold"):
            found = database.query(f"SELECT count(*) FROM inventory_{number}.{table}")[0][0]
            counts[table] = counts.get(table, 0) + found
    return counts


KNOWN = [*(f"known {number}" for number in range(12)), "Zoë", "Zoë \0"]


def sell_something(broker, queues):
    """Items, orders, a hold, a rejection of a chosen id, an order for what is not there."""
    with Client(broker.url, queues) as client:
        products = [client.add(10) for _ in range(9)]
        orders = [
            {"order_id": f"A-{product}", "product_id": product, "quantity": product % 4 + 1}
            for product in products
        ]
        orders.append(orders[0] | {"order_id": "H", "hold_seconds": 3600})
        for order in orders:
            assert client.order(order).json["success"]
        assert not client.order({"order_id": "N", "product_id": 77, "quantity": 1}).json["success"]
        client.item({"quantity": 1, "product_id": products[0]}, message_id="taken")
        for name in KNOWN:
            assert client.item({"quantity": 5}, message_id=name).json["success"]
    return products, orders


def test_an_undivided_stock_moves_into_partitions(broker, queues, postgres):
    database = Postgres.new_database(postgres.url)
    everywhere = {"broker": broker, "database": database.url, "queues": queues}
    with Service(broker.url, database.url, queues):
        products, orders = sell_something(broker, queues)
    before = kinds_of_rows(database)
    highest = max(id for (id,) in database.query("SELECT id FROM inventory"))

    # While somebody uses the tables, nothing is changed.
    held = psycopg2.connect(database.url)
    with contextlib.closing(held), held.cursor() as cursor:
        cursor.execute("SELECT * FROM inventory FOR UPDATE")
        refused = command("migrate", "--from-undivided", **everywhere)
        assert refused.returncode == 3, refused.stdout
        assert "lock timeout" in refused.stderr
    assert kinds_of_rows(database) == before

    moved = command("migrate", "--from-undivided", **everywhere)
    assert moved.returncode == 0, moved.stderr
    assert in_partitions(database) == before
    assert "inventory_undivided" in moved.stdout
    verified = command("verify", **everywhere)
    assert verified.returncode == 0, verified.stdout

    # Again: nothing twice. Another count: no. Undivided: no more.
    again = command("migrate", "--from-undivided", **everywhere)
    assert again.returncode == 0 and again.stdout.count("has its rows already") == COUNT
    assert in_partitions(database) == before
    other = command("migrate", "--from-undivided", **everywhere, partition="all/8")
    assert other.returncode == 3
    assert f"the stock was moved into {COUNT} partitions, not into 8" in other.stderr
    assert database.query("SELECT to_regnamespace('inventory_4')") == [(None,)]
    undivided = run("stock", DATABASE_URL=database.url)
    assert undivided.returncode == 3
    assert f"the stock was moved into {COUNT} partitions" in undivided.stderr

    with serving(broker, database.url, queues), Client(broker.url, queues) as client:
        for order in orders:
            reply = client.call(f"{queues.order}.{order['product_id'] % COUNT}", order)
            assert reply.json["success"] and reply.replayed
        with Router(broker.url, queues, COUNT):
            for name in KNOWN:
                reply = client.item({"quantity": 5}, message_id=name)
                assert reply.json["id"] <= highest and reply.replayed
            taken = {"quantity": 1, "product_id": products[0]}
            assert client.item(taken, message_id="taken").json["message"] == "Product already exists"
        for number in range(COUNT):
            assert add(client, queues, number) > highest
    assert command("verify", **everywhere).returncode == 0


def test_a_move_that_was_cut_off_goes_on(broker, queues, postgres):
    database = Postgres.new_database(postgres.url)
    with Service(broker.url, database.url, queues):
        sell_something(broker, queues)
    before = kinds_of_rows(database)
    everywhere = {"broker": broker, "database": database.url, "queues": queues}
    assert command("migrate", "--from-undivided", **everywhere).returncode == 0
    # As if it had ended before the last partition was filled.
    database.execute(
        "TRUNCATE inventory_3.inventory, inventory_3.inventory_ledger, "
        "inventory_3.inventory_item_request, inventory_3.inventory_hold; "
        "UPDATE inventory_3.inventory_migration SET name = name || ', being filled' "
        "WHERE version = 0"
    )
    unfilled = command("verify", **everywhere)
    assert unfilled.returncode == 3
    assert "migrate --from-undivided has not finished" in unfilled.stderr
    done = command("migrate", "--from-undivided", **everywhere)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("has its rows already") == COUNT - 1
    assert in_partitions(database) == before
    assert command("verify", **everywhere).returncode == 0


def test_a_running_undivided_instance_decides_nothing_after_the_move(broker, queues, postgres):
    database = Postgres.new_database(postgres.url)
    everywhere = {"broker": broker, "database": database.url, "queues": queues}
    running = Service(broker.url, database.url, queues)
    with running as service, Client(broker.url, queues) as client:
        product = client.add(10)
        assert client.order({"order_id": 1, "product_id": product, "quantity": 1}).json["success"]
        assert command("migrate", "--from-undivided", **everywhere).returncode == 0
        counts = in_partitions(database)
        client.publish(
            queues.order,
            {"order_id": 2, "product_id": product, "quantity": 1},
            reply_to=client.reply_to,
        )
        service.wait_for_log('relation "inventory" does not exist')
        assert command("verify", **everywhere).returncode == 0
        assert in_partitions(database) == counts
    assert client.inbox == []


def undivided_beside_partitions(postgres):
    """A database whose partitions are made, and the URL that means the undivided stock in it."""
    database = Postgres.new_database(postgres.url)
    assert command("migrate", database=database.url).returncode == 0
    return database, f"{database.url}?options=-csearch_path%3Dpublic"


def owners(database):
    """What the tables of each partition say whose they are."""
    rows = (
        database.query(f"SELECT name FROM inventory_{number}.inventory_migration WHERE version = 0")
        for number in range(COUNT)
    )
    return [name for ((name,),) in rows]


OWNERS = [f"partition {number}/{COUNT}" for number in range(COUNT)]


def schemas(database):
    rows = database.query(
        "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'inventory%' ORDER BY nspname"
    )
    return [name for (name,) in rows]


def test_a_move_fills_partitions_that_were_made_before(broker, queues, postgres):
    database, undivided = undivided_beside_partitions(postgres)
    with Service(broker.url, undivided, queues):
        _, orders = sell_something(broker, queues)
    before = kinds_of_rows(database)
    everywhere = {"broker": broker, "database": database.url, "queues": queues}
    moved = command("migrate", "--from-undivided", **everywhere)
    assert moved.returncode == 0, moved.stderr
    assert "has its rows already" not in moved.stdout
    assert in_partitions(database) == before
    assert owners(database) == OWNERS
    assert command("verify", **everywhere).returncode == 0
    with serving(broker, database.url, queues), Client(broker.url, queues) as client:
        for order in orders:
            reply = client.call(f"{queues.order}.{order['product_id'] % COUNT}", order)
            assert reply.json["success"] and reply.replayed
        for number in range(COUNT):
            add(client, queues, number)


def test_a_move_into_a_partition_that_was_used_is_refused(broker, queues, postgres):
    database, undivided = undivided_beside_partitions(postgres)
    with serving(broker, database.url, queues, [1]), Client(broker.url, queues) as client:
        order = {"order_id": new_id(), "product_id": add(client, queues, 1), "quantity": 1}
        assert client.call(f"{queues.order}.1", order).json["success"]
    with Service(broker.url, undivided, queues):
        sell_something(broker, queues)
    before, own = kinds_of_rows(database), in_partitions(database)
    everywhere = {"broker": broker, "database": database.url, "queues": queues}

    refused = command("migrate", "--from-undivided", **everywhere)
    assert refused.returncode == 3
    assert f"schema inventory_1: partition 1 of {COUNT} was used already" in refused.stderr
    assert "DROP SCHEMA inventory_1 CASCADE" in refused.stderr
    assert kinds_of_rows(database) == before and in_partitions(database) == own
    assert owners(database) == OWNERS
    assert database.query("SELECT to_regclass('inventory_undivided')") == [(None,)]

    database.execute("DROP SCHEMA inventory_1 CASCADE")
    moved = command("migrate", "--from-undivided", **everywhere)
    assert moved.returncode == 0, moved.stderr
    assert in_partitions(database) == before


def test_a_move_merges_nothing_with_rows_of_a_service_that_still_ran(broker, queues, postgres):
    database = Postgres.new_database(postgres.url)
    with Service(broker.url, database.url, queues):
        sell_something(broker, queues)
    everywhere = {"broker": broker, "database": database.url, "queues": queues}
    assert command("migrate", "--from-undivided", **everywhere).returncode == 0
    database.execute(
        "TRUNCATE inventory_3.inventory, inventory_3.inventory_item_request, "
        "inventory_3.inventory_hold; DELETE FROM inventory_3.inventory_ledger WHERE identity NOT "
        "IN (SELECT min(identity) FROM inventory_3.inventory_ledger); "
        "UPDATE inventory_3.inventory_migration SET name = name || ', being filled' "
        "WHERE version = 0"
    )
    own = in_partitions(database)
    refused = command("migrate", "--from-undivided", **everywhere)
    assert refused.returncode == 3
    assert f"schema inventory_3: partition 3 of {COUNT} was used already" in refused.stderr
    assert in_partitions(database) == own


def test_an_undivided_service_does_not_begin_beside_partitions(broker, queues, postgres):
    database, undivided = undivided_beside_partitions(postgres)
    why = (
        f"the database has partitions (schema inventory_0: partition 0/{COUNT}), and no undivided "
        "stock where search_path leads: --partition says which is meant"
    )
    refused = run("migrate", DATABASE_URL=database.url)
    assert refused.returncode == 3 and why in refused.stderr
    planned = run("migrate", "--dry-run", DATABASE_URL=database.url)
    assert planned.returncode == 1 and why in planned.stdout
    service = Service(broker.url, database.url, queues).start()
    try:
        service.wait_for_log(why)
        status, text = service.get("/readyz?verbose")
        assert status == 503 and why in text
    finally:
        assert service.stop() == 0
    assert database.query("SELECT to_regclass('public.inventory_migration')") == [(None,)]
    # Who names a schema knows what it wants.
    assert run("migrate", DATABASE_URL=undivided).returncode == 0


def test_partitions_are_not_made_beside_an_undivided_stock(broker, queues, postgres):
    database = Postgres.new_database(postgres.url)
    assert run("migrate", DATABASE_URL=database.url).returncode == 0
    why = (
        "schema public has an undivided stock that was not moved: run inventory-service migrate "
        "--partition all/16 --from-undivided"
    )
    refused = command("migrate", database=database.url, partition="all/16")
    assert refused.returncode == 3 and refused.stderr.count(why) == 16
    planned = command("migrate", "--dry-run", database=database.url, partition="3/16")
    assert planned.returncode == 1 and why in planned.stdout
    service = Service(broker.url, database.url, queues, ["--partition", "3/16"]).start()
    try:
        service.wait_for_log(why)
        assert why in service.get("/readyz?verbose")[1]
    finally:
        assert service.stop() == 0
    assert schemas(database) == []


def test_partitions_of_another_count_are_not_made(broker, queues, postgres):
    database, _ = undivided_beside_partitions(postgres)
    before = schemas(database)
    why = f"the database has {COUNT} partitions (schema inventory_0), not 8"
    refused = command("migrate", database=database.url, partition="all/8")
    assert refused.returncode == 3 and refused.stderr.count(why) == 8 - COUNT
    service = Service(broker.url, database.url, queues, ["--partition", "5/8"]).start()
    try:
        service.wait_for_log(why)
        assert why in service.get("/readyz?verbose")[1]
    finally:
        assert service.stop() == 0
    fewer = command("migrate", database=database.url, partition="all/2")
    assert fewer.returncode == 3
    assert schemas(database) == before == [f"inventory_{number}" for number in range(COUNT)]
    assert owners(database) == OWNERS


def test_a_move_is_offered_where_it_can_be_done(folder, postgres):
    for url in (f"sqlite:{folder}/x-{{partition}}.db", "postgresql://h/d{partition}"):
        done = command("migrate", "--from-undivided", database=url)
        assert done.returncode == 2 and "within one PostgreSQL database" in done.stderr
    empty = Postgres.new_database(postgres.url)
    done = command("migrate", "--from-undivided", database=empty.url)
    assert done.returncode == 3 and "there is no undivided stock" in done.stderr
    assert empty.query("SELECT to_regnamespace('inventory_0')") == [(None,)]
    done = command("migrate", "--from-undivided", database="postgresql://h/d", partition="3/4")
    assert done.returncode == 2 and "goes with --partition all/COUNT" in done.stderr
