"""The service with no more rights than docs/install.md gives it, in PostgreSQL and RabbitMQ."""

import dataclasses
import pathlib
import re
import shlex

import pytest

from client import Client, new_id
from database import Postgres, Sqlite, stock
from servers import Server
from service import Queues, Service, run
from waiting import wait_for

INSTALL = (pathlib.Path(__file__).resolve().parents[2] / "docs/install.md").read_text()


def block(language, first_word):
    """The block of code in the document that begins with `first_word`."""
    return re.search(rf"```{language}\n({first_word}.*?)```", INSTALL, re.DOTALL)[1]


@pytest.fixture
def granted(postgres):
    """A database that its owner has migrated, and the URL for a role with the documented rights."""
    database = Postgres.new_database(postgres.url)
    assert run("migrate", DATABASE_URL=database.url).returncode == 0
    database.execute("CREATE ROLE service LOGIN")
    database.execute(block("sql", "GRANT"))
    yield database, database.url.replace("postgres@", "service@")
    database.execute("DROP OWNED BY service; DROP ROLE service")


def test_select_insert_and_update_are_enough(broker, granted, queues):
    database, url = granted
    with Service(broker.url, url, queues), Client(broker.url, queues) as client:
        product = client.add(10)
        order = {"order_id": 1, "product_id": product, "quantity": 4}
        assert client.order(order).json["success"]
        assert client.order(order).replayed
        assert client.item({"quantity": -1}).json["success"] is False
        held = [order | {"order_id": number, "hold_seconds": 1} for number in (2, 3)]
        assert client.order(held[0] | {"hold_seconds": 3600, "quantity": 1}).json["success"]
        assert client.call(queues.confirm, {"order_id": 2, "product_id": product}).json["success"]
        assert client.order(held[1]).json["success"]
        sql = "SELECT count(*) FROM inventory_ledger WHERE outcome = 'expired'"
        wait_for(lambda: database.query(sql) == [(1,)], "given back")
    assert stock(database) == {product: 5}
    for command in ("verify", "migrate"):  # there is nothing to migrate
        done = run(command, DATABASE_URL=url)
        assert done.returncode == 0, done.stderr


def test_without_rights_on_holds_orders_go_on(broker, granted, queues):
    """As after an upgrade from 1.0, whose role knows nothing of that table."""
    database, url = granted
    database.execute("REVOKE ALL ON inventory_hold FROM service")
    with Service(broker.url, url, queues) as service, Client(broker.url, queues) as client:
        product = client.add(10)
        order = {"order_id": 1, "product_id": product, "quantity": 4}
        assert client.order(order).json["success"]
        assert client.call(queues.cancel, order).json["success"]
        service.wait_for_log("permission denied for table inventory_hold")
        status, text = service.get("/readyz")
        assert status == 503 and "[-]holds" in text
        assert "\ninventory_sweeper_failing 1\n" in service.get("/metrics")[1]
        database.execute("GRANT SELECT, INSERT, DELETE ON inventory_hold TO service")
        wait_for(lambda: service.get("/readyz")[0] == 200, "ready")
        assert "\ninventory_sweeper_failing 0\n" in service.get("/metrics")[1]
        held = order | {"order_id": 2, "hold_seconds": 1}
        assert client.order(held).json["success"]
    assert stock(database)[product] in (6, 10)


def test_what_is_missing_is_named(broker, granted, queues):
    database, url = granted
    database.execute("REVOKE INSERT ON inventory_ledger FROM service")
    with Service(broker.url, url, queues) as service, Client(broker.url, queues) as client:
        client.publish(queues.item, {"quantity": 1}, reply_to=client.reply_to)
        service.wait_for_log("permission denied for table inventory_ledger")
        database.execute("GRANT INSERT ON inventory_ledger TO service")
        assert client.receive().json["success"]  # it goes on by itself


def test_reading_takes_no_more_than_select(broker, granted, queues):
    database, url_of_service = granted
    database.execute("CREATE ROLE reader LOGIN")
    database.execute(block("sql", "GRANT SELECT ON inventory, inventory_ledger"))
    url = database.url.replace("postgres@", "reader@")
    try:
        options = [f"--read-database-url={url}"]
        with Service(broker.url, url_of_service, queues, options) as service:
            with Client(broker.url, queues) as client:
                product = client.add(1)
            for page in ("/items", f"/items/{product}/ledger"):
                status, text = service.get(page)
                assert status == 200, text
            assert service.get(f"/orders/1?product_id={product}")[0] == 404
        for command in (("verify",), ("stock",), ("ledger", f"--product-id={product}")):
            done = run(*command, DATABASE_URL=url)
            assert done.returncode == 0, done.stderr
        database.execute("REVOKE SELECT ON inventory_migration FROM reader")
        assert run("verify", DATABASE_URL=url).returncode == 3
    finally:
        database.execute("DROP OWNED BY reader; DROP ROLE reader")


def test_archiving_takes_no_more_than_its_own_rights(broker, granted, queues):
    database, url_of_service = granted
    with Service(broker.url, url_of_service, queues), Client(broker.url, queues) as client:
        order = {"order_id": 1, "product_id": client.add(3), "quantity": 1}
        assert client.order(order).json["success"]
    database.execute("UPDATE inventory_ledger SET decided_at = '2020-01-01'")
    assert run("archive", "--older-than=90d", DATABASE_URL=url_of_service).returncode == 3
    database.execute("CREATE ROLE archiver LOGIN")
    database.execute(block("sql", "GRANT SELECT, UPDATE ON inventory TO archiver"))
    try:
        url = database.url.replace("postgres@", "archiver@")
        done = run("archive", "--older-than=90d", DATABASE_URL=url)
        assert (done.returncode, done.stdout) == (0, "1 entries taken out\n"), done.stderr
    finally:
        database.execute("DROP OWNED BY archiver; DROP ROLE archiver")


USERS = ("inventory", "operator")


@pytest.fixture(scope="module")
def own_broker(folder):
    with Server("rabbitmq", folder / "confined") as server:
        for user in USERS:
            server.control("add_user", user, "secret")
        yield server


@pytest.fixture
def confined(own_broker):
    """A broker with users that have the documented permissions."""
    for user in USERS:
        documented = block("sh", f"rabbitmqctl set_permissions {user}").replace("\\\n", "")
        own_broker.control(*shlex.split(documented)[1:])
    return own_broker


def as_user(name, server):
    return server.url.replace("guest:guest", f"{name}:secret")


def test_the_documented_permissions_of_the_broker_are_enough(confined, folder):
    server, ctl = confined, confined.control
    url = as_user("inventory", server)
    database = Sqlite(folder)
    queues = Queues()
    with Service(url, database.url, queues), Client(server.url, queues) as client:
        product = client.add(10)
        order = {"order_id": 1, "product_id": product, "quantity": 4}
        assert client.order(order).json["success"]
        client.publish(queues.order, b"no JSON", reply_to=client.reply_to)
        assert client.receive().json["success"] is False
        assert client.count(queues.order_dead) == 1
        client.publish(queues.order, order)
        assert client.take(queues.order_response)[0].replayed

    # The queues exist now: nothing has to be configured any more.
    consumed = "|".join(queues.requests.values())
    ctl("set_permissions", "inventory", "^$", r"^amq\.default$", f"^({consumed})$")
    with Service(url, database.url, queues), Client(server.url, queues) as client:
        assert client.order(order).replayed
    ctl("set_permissions", "inventory", "^$", r"^amq\.default$", f"^{queues.item}$")
    service = Service(url, database.url, queues).start()
    try:
        service.wait_for_log(f"access to queue '{queues.order}' in vhost '/' refused")
    finally:
        assert service.stop() == 0


def test_without_rights_on_the_new_queues_orders_go_on(confined, folder):
    """As after an upgrade from 1.0, whose user has rights on its own queues only."""
    server = confined
    queues = Queues()
    of_1_0 = f"^({queues.order}|{queues.item})([.]dlq)?$|^{queues.order_response}$"
    server.control("set_permissions", "inventory", of_1_0, r"^amq\.default$", of_1_0)
    old = ("order", "item")
    new = {kind: queue for kind, queue in queues.requests.items() if kind not in old}
    with Client(server.url, queues) as client:
        for queue in new.values():
            client.channel.queue_delete(queue)
    service = Service(as_user("inventory", server), Sqlite(folder).url, queues).start()
    try:
        for setting, queue in new.items():
            service.wait_for_log(
                f"grant the broker's user the rights on {queue} and {queue}.dlq,"
                f" or start with --{setting}-queue none"
            )
        with Client(server.url, queues) as client:
            product = client.add(10)
            order = {"order_id": new_id(), "product_id": product, "quantity": 1}
            assert client.order(order).json["success"]
        status, text = service.get("/readyz")
        assert status == 503
        assert f"access to queue '{queues.cancel}" in text and "--cancel-queue none" in text
    finally:
        assert service.stop() == 0
    without = dataclasses.replace(queues, **dict.fromkeys(new, "none"))
    with Service(as_user("inventory", server), Sqlite(folder).url, without) as service:
        assert service.get("/readyz")[0] == 200


def test_the_documented_permissions_of_the_tools_are_enough(confined, folder):
    server = confined
    tools = {"AMQP_URL": as_user("operator", server)}
    items = folder / "items.csv"
    items.write_text("quantity,description\n5,a row\n")
    queues = Queues()
    url = as_user("inventory", server)
    with Service(url, Sqlite(folder).url, queues), Client(server.url, queues) as client:
        client.publish(queues.order, b"no JSON", reply_to=client.reply_to)
        client.receive()
        for command in (
            ("add", "--quantity", "3"),
            ("order", "--product-id", "1", "--quantity", "2", "--order-id", "1", "--hold", "1h"),
            ("confirm", "--order-id", "1", "--product-id", "1"),
            ("cancel", "--order-id", "1", "--product-id", "1"),
            ("adjust", "--product-id", "1", "--change", "1"),
            ("import", str(items)),
            ("dead-letters", "list"),
            ("dead-letters", "show", "--queue", queues.order, "--position", "1"),
            ("dead-letters", "replay"),
            ("dead-letters", "purge", "--yes"),
        ):
            done = run(*command, **tools)
            assert done.returncode == 0, (command, done.stderr)
        assert client.receive().json["success"] is False  # what was replayed
