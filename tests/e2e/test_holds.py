"""Holds: stock that is taken for a time, confirmed, cancelled, or given back once it is over."""

import contextlib
import dataclasses
import datetime
import json
import signal
import sqlite3

import pytest

from client import Client, new_id
from database import ANY_BYTES, Postgres, Sqlite
from database import stock as stock_of
from load import Load
from service import Queues, Service, run
from test_rights import as_user
from waiting import wait_for

LONG = 2_592_000
GIVEN_BACK = 'inventory_decisions_total{{outcome="expired",queue="{}",reason=""}}'
ENDED_BEFORE = 'inventory_decisions_total{{outcome="ended_before",queue="{}",reason=""}}'


def holding(product, quantity, seconds, order_id=None):
    return {
        "order_id": order_id or new_id(),
        "product_id": product,
        "quantity": quantity,
        "hold_seconds": seconds,
    }


def basket(seconds, *items):
    return {
        "order_id": new_id(),
        "items": [{"product_id": product, "quantity": quantity} for product, quantity in items],
        "hold_seconds": seconds,
    }


def confirm(client, request, **properties):
    return client.call(client.queues.confirm, request, **properties)


def cancel(client, request):
    return client.call(client.queues.cancel, request)


def left(client, product):
    """What there is: an adjustment that expects what cannot be tells, and changes nothing."""
    asked = {"adjustment_id": new_id(), "product_id": product, "set_to": 0, "expected": 2**53 - 1}
    return client.call(client.queues.adjust, asked).json["quantity"]


def rows(database, sql):
    """Also beside a service."""
    if database.kind == "postgres":
        return [tuple(row) for row in database.query(sql)]
    with contextlib.closing(sqlite3.connect(database.path, timeout=30)) as connection:
        return connection.execute(sql).fetchall()


def open_holds(database):
    return rows(database, "SELECT count(*) FROM inventory_hold")[0][0]


def expiries(database, product):
    sql = "SELECT delta FROM inventory_ledger WHERE product_id = {} AND outcome = 'expired'"
    return [delta for (delta,) in rows(database, sql.format(product))]


def verified(database):
    done = run("verify", DATABASE_URL=database.url)
    return done.returncode == 0 or done.stdout + done.stderr


@pytest.fixture
def service(broker, database, queues):
    with Service(broker.url, database.url, queues) as running:
        yield running


# What is answered.


def test_a_hold_says_until_when_and_says_it_again(service, client):
    shirt = client.add(10)
    order = holding(shirt, 2, LONG)
    first = client.order(order)
    until = first.json["held_until"]
    assert first.json == {
        "order_id": order["order_id"],
        "success": True,
        "message": "Inventory updated",
        "held_until": until,
        "order_data": order,
    }
    ahead = datetime.datetime.fromisoformat(until) - datetime.datetime.now(datetime.timezone.utc)
    assert abs(ahead.total_seconds() - LONG) < 600
    again = client.order(order)
    assert again.replayed and again.body == first.body
    assert left(client, shirt) == 8


def test_a_hold_that_is_not_taken_has_no_end(service, client):
    shirt = client.add(1)
    for order, message in (
        (holding(shirt, 2, 60), "Not enough inventory"),
        (holding(2**53 - 1, 2, 60), "Product not found"),
        (basket(60, (shirt, 2)), "Not enough inventory"),
    ):
        for _ in range(2):
            reply = client.order(order).json
            assert (reply["success"], reply["message"]) == (False, message)
            assert reply["held_until"] is None


def test_another_hold_under_one_order_id_is_a_conflict(service, client):
    shirt = client.add(10)
    order = holding(shirt, 2, 60)
    client.order(order)
    name = f"Invalid order: order_id {order['order_id']} was already decided for product {shirt}"
    other = client.order(order | {"hold_seconds": 61}).json
    assert other["message"] == f"{name} with hold_seconds 60"
    without = {name: value for name, value in order.items() if name != "hold_seconds"}
    assert client.order(without).json["message"] == f"{name} with hold_seconds 60"
    plain = {"order_id": new_id(), "product_id": shirt, "quantity": 1}
    client.order(plain)
    held = client.order(plain | {"hold_seconds": 60}).json
    assert held["message"].endswith("without hold_seconds") and not held["success"]
    assert left(client, shirt) == 7


@pytest.mark.parametrize("seconds", [0, -1, LONG + 1, 1.5, "60", True, [60]])
def test_a_hold_for_no_time_is_dead_lettered(service, client, seconds):
    shirt = client.add(10)
    reply = client.order(holding(shirt, 2, seconds)).json
    assert reply["message"].startswith("Invalid order: hold_seconds must be an integer")
    client.take(client.queues.order_dead)
    assert left(client, shirt) == 10


def test_what_a_confirmation_is_answered(service, client):
    """The rows of the contract's table, and each again."""
    shirt = client.add(100)

    def answers(request, message, replayed, **more):
        for _ in range(2):
            reply = confirm(client, request)
            assert reply.json == {
                "order_id": request["order_id"],
                "success": message == "Order confirmed",
                "message": message,
                "order_data": request,
                **more,
            }
        assert reply.replayed is replayed

    held = holding(shirt, 1, LONG)
    client.order(held)
    answers(held, "Order confirmed", True)
    plain = {"order_id": new_id(), "product_id": shirt, "quantity": 1}
    client.order(plain)
    answers(plain, "Order confirmed", True)
    cancelled = holding(shirt, 1, LONG)
    client.order(cancelled)
    assert cancel(client, cancelled).json["items"] == [{"product_id": shirt, "quantity": 1}]
    answers(cancelled, "Order was cancelled", True)
    rejected = holding(shirt, 1000, LONG)
    client.order(rejected)
    answers(rejected, "Order was rejected", True)
    unseen = holding(shirt, 1, LONG)
    answers(unseen, "Order not found", False)
    client.order(unseen)
    answers(unseen, "Order confirmed", True)
    assert left(client, shirt) == 97
    # What was confirmed is given back by a cancellation, once.
    for _ in range(2):
        assert cancel(client, held).json["items"] == [{"product_id": shirt, "quantity": 1}]
    assert left(client, shirt) == 98


def test_a_confirmation_with_another_quantity_does_nothing(service, client):
    shirt = client.add(10)
    order = holding(shirt, 2, LONG)
    client.order(order)
    name = f"order_id {order['order_id']} was decided for product {shirt} with quantity 2"
    reply = confirm(client, order | {"quantity": 3}).json
    assert reply["message"] == f"Invalid confirmation: {name}" and not reply["success"]
    reference = {"order_id": order["order_id"], "product_id": shirt}
    assert confirm(client, reference).json["message"] == "Order confirmed"


def test_what_is_no_confirmation_is_dead_lettered(service, client):
    reply = confirm(client, {"order_id": 1})
    assert reply.json["message"] == "Invalid confirmation: product_id is missing"
    letter, _ = client.take(f"{client.queues.confirm}.dlq")
    assert letter.headers["error-reason"] == "invalid"


def test_items_are_confirmed_all_or_none(service, database, client):
    shirt, sock = client.add(10), client.add(10)
    first = basket(LONG, (shirt, 1), (sock, 2))
    client.order(first)
    assert open_holds(database) == 2
    assert confirm(client, first).json["message"] == "Order confirmed"
    assert open_holds(database) == 0
    second = basket(LONG, (shirt, 1), (sock, 2))
    client.order(second)
    cancel(client, {"order_id": second["order_id"], "product_id": sock})
    assert confirm(client, second).json["message"] == "Order was cancelled"
    assert open_holds(database) == 1  # the shirt's: it is not confirmed
    assert (left(client, shirt), left(client, sock)) == (8, 8)


# What becomes of it.


def test_what_was_held_too_long_comes_back_once(service, database, queues, client):
    shirt, sock = client.add(10), client.add(10)
    held = [holding(shirt, 2, 1), basket(1, (shirt, 3), (sock, 1))]
    until = max(client.order(order).json["held_until"] for order in held)
    assert (left(client, shirt), left(client, sock)) == (5, 9)
    wait_for(lambda: open_holds(database) == 0, "given back")
    now = datetime.datetime.now(datetime.timezone.utc)
    late = (now - datetime.datetime.fromisoformat(until)).total_seconds()
    assert 0 <= late < 60, "five seconds on a machine that does nothing else"
    assert (left(client, shirt), left(client, sock)) == (10, 10)
    assert (sorted(expiries(database, shirt)), expiries(database, sock)) == ([2, 3], [1])
    for order in held:
        for _ in range(2):
            assert confirm(client, order).json["message"] == "Hold expired"
            nothing = [item["quantity"] for item in cancel(client, order).json["items"]]
            assert set(nothing) == {0}
        assert client.order(order).json["success"], "as then"
    assert (left(client, shirt), left(client, sock)) == (10, 10)
    wait_for(lambda: service.metrics()[GIVEN_BACK.format(queues.expiry)] == 3, "three expiries")
    assert verified(database) is True


def test_a_hold_that_is_due_cannot_be_confirmed_before_it_is_given_back(
    broker, database, queues
):
    without = dataclasses.replace(queues, expiry="none")
    with Service(broker.url, database.url, without), Client(broker.url, queues) as client:
        shirt = client.add(10)
        order = holding(shirt, 2, 1)
        client.order(order)
        wait_for(lambda: is_over(client, order), "due")
        assert confirm(client, order).json["message"] == "Hold expired"
        assert left(client, shirt) == 8, "until then it counts as taken"
        assert not client.exists(queues.expiry)
    with Service(broker.url, database.url, queues), Client(broker.url, queues) as client:
        wait_for(lambda: left(client, shirt) == 10, "given back by who sweeps")
        assert expiries(database, shirt) == [2]


def is_over(client, order):
    """The database's clock has passed its end; asked without touching the order."""
    probe = holding(order["product_id"], 1, 1)
    now = client.order(probe).json["held_until"]
    cancel(client, probe)
    end = client.order(order).json["held_until"]
    moment = datetime.datetime.fromisoformat(now) - datetime.timedelta(seconds=1)
    return moment > datetime.datetime.fromisoformat(end)


def test_what_was_confirmed_or_cancelled_in_time_is_never_given_back(service, database, client):
    shirt, hat = client.add(10), client.add(10)
    confirmed, cancelled = holding(shirt, 2, 30), holding(shirt, 3, 30)
    for order in (confirmed, cancelled):
        client.order(order)
    assert confirm(client, confirmed).json["success"]
    cancel(client, cancelled)
    assert open_holds(database) == 0, "there is nothing to be found"
    # Somebody asks for it all the same, as a request that was long under way would.
    for order in (confirmed, cancelled):
        body = {"product_id": shirt, "identity": f"s{order['order_id']}"}
        client.publish(client.queues.expiry, body)
    # A later one is given back, so these were decided.
    client.order(holding(hat, 1, 1))
    wait_for(lambda: expiries(database, hat) == [1], "given back")
    assert expiries(database, shirt) == [] and left(client, shirt) == 8
    wait_for(
        lambda: service.metrics()[ENDED_BEFORE.format(client.queues.expiry)] >= 2, "decided"
    )
    assert verified(database) is True


@pytest.mark.parametrize("database", ["postgres"], indirect=True)
def test_several_instances_give_back_once(broker, database, queues, client):
    with contextlib.ExitStack() as several:
        for _ in range(3):
            several.enter_context(Service(broker.url, database.url, queues))
        products = [client.add(100) for _ in range(5)]
        orders = [holding(products[at % 5], 1, 1) for at in range(100)]
        for order in orders:
            client.publish(queues.order, order, reply_to=client.reply_to)
        assert all(reply.json["success"] for reply in client.receive_all(len(orders)))
        wait_for(lambda: open_holds(database) == 0, "given back")
        assert all(expiries(database, product) == 20 * [1] for product in products)
    assert stock_of(database) == dict.fromkeys(products, 100)
    assert verified(database) is True


def hold_many(client, database, product, count):
    """So many holds, which are due; as after an outage."""
    order = holding(product, 1, LONG)
    orders = [order | {"order_id": f"many {number}"} for number in range(count)]
    for one in orders:
        client.publish(client.queues.order, one, reply_to=client.reply_to)
    assert all(reply.json["success"] for reply in client.receive_all(count))
    assert open_holds(database) == count
    return orders


def make_due(database):
    """Changes what no client can: the end of all holds, in their rows and in their entries."""
    past = "1000000000000000"
    if database.kind == "postgres":
        database.execute(
            "UPDATE inventory_hold SET expires_at = '2001-09-09 01:46:40+00';"
            "UPDATE inventory_ledger SET terms = regexp_replace(terms, 'until .*', "
            f"'until {past}') WHERE outcome = 'held'"
        )
        return
    with contextlib.closing(sqlite3.connect(database.path, timeout=30)) as connection:
        connection.execute("UPDATE inventory_hold SET expires_at = '2001-09-09 01:46:40.000000'")
        connection.execute(
            "UPDATE inventory_ledger SET terms = "
            f"substr(terms, 1, instr(terms, 'until')) || 'ntil {past}' WHERE outcome = 'held'"
        )
        connection.commit()


def test_many_that_are_due_at_once_come_back_while_orders_go_on(broker, database, queues, client):
    count = 2_000
    with Service(broker.url, database.url, queues):
        shirt, hat = client.add(count), client.add(10_000)
        hold_many(client, database, shirt, count)
    make_due(database)
    orders = [
        {"order_id": new_id(), "product_id": hat, "quantity": 1} for _ in range(1_000)
    ]
    with Service(broker.url, database.url, queues) as service:
        with Load(broker.url, queues, orders) as load:
            load.wait_for_all()
        wait_for(lambda: open_holds(database) == 0, "given back")
        metrics = service.metrics()
        assert metrics[GIVEN_BACK.format(queues.expiry)] == count
        assert metrics[f'inventory_batch_messages_count{{queue="{queues.expiry}"}}'] < count / 2
        assert (left(client, shirt), left(client, hat)) == (count, 9_000)
    assert verified(database) is True


def test_it_stops_while_it_sweeps_and_goes_on(broker, database, queues, client):
    count = 3_000
    with Service(broker.url, database.url, queues):
        shirt = client.add(count)
        hold_many(client, database, shirt, count)
    make_due(database)
    service = Service(broker.url, database.url, queues).start()
    wait_for(lambda: len(expiries(database, shirt)) > 0, "the first is given back")
    assert service.stop(signal.SIGTERM) == 0
    with Service(broker.url, database.url, queues):
        wait_for(lambda: open_holds(database) == 0, "all given back")
        assert left(client, shirt) == count
    assert len(expiries(database, shirt)) == count
    assert verified(database) is True


# What is away.


def test_with_the_broker_away_it_says_so_once_and_goes_on(own_broker, own_database, queues):
    with Service(own_broker.url, own_database.url, queues) as service:
        with Client(own_broker.url, queues) as client:
            shirt = client.add(10)
            client.order(holding(shirt, 2, 3))
        own_broker.kill()
        try:
            line = f"{queues.expiry}: holds that are over cannot be given back: "
            service.wait_for_log(line)
            assert service.get("/readyz")[0] == 503
            assert service.log.count(line) == 1
        finally:
            own_broker.start()
        wait_for(lambda: open_holds(own_database) == 0, "given back")
        assert expiries(own_database, shirt) == [2]
        wait_for(lambda: service.get("/readyz")[0] == 200, "ready")


def test_with_the_database_away_it_says_so_once_and_goes_on(own_broker, own_postgres, queues):
    database = Postgres.new_schema(own_postgres.url)
    with Service(own_broker.url, database.url, queues) as service:
        with Client(own_broker.url, queues) as client:
            shirt = client.add(10)
            client.order(holding(shirt, 2, 2))
            own_postgres.kill()
            try:
                line = f"{queues.expiry}: holds that are over cannot be looked for: "
                service.wait_for_log(line)
                assert service.log.count(line) == 1
            finally:
                own_postgres.start()
            wait_for(lambda: left(client, shirt) == 10, "given back")
    assert expiries(database, shirt) == [2]


def test_without_rights_on_the_expiry_queue_orders_go_on(own_broker, folder):
    queues = Queues()
    others = "|".join(queue for queue in queues.requests.values() if queue != queues.expiry)
    of_1_1 = f"^({others})([.]dlq)?$|^{queues.order_response}$"
    own_broker.control("add_user", "before", "secret")
    own_broker.control("set_permissions", "before", of_1_1, r"^amq\.default$", of_1_1)
    url = as_user("before", own_broker)
    service = Service(url, Sqlite(folder).url, queues)
    with service.running(), Client(own_broker.url, queues) as client:
        for queue in (queues.order, queues.item):
            service.wait_for_log(f"{queue}: taking requests")
        service.wait_for_log(
            f"grant the broker's user the rights on {queues.expiry} and {queues.expiry}.dlq,"
            " or start with --expiry-queue none"
        )
        shirt = client.add(10)
        assert client.order(holding(shirt, 2, LONG)).json["success"]
        status, text = service.get("/readyz")
        assert status == 503 and f"access to queue '{queues.expiry}" in text
    without = dataclasses.replace(queues, expiry="none")
    with Service(url, Sqlite(folder).url, without) as service:
        assert service.get("/readyz")[0] == 200


def test_the_queues_can_be_switched_off(broker, database, queues):
    without = dataclasses.replace(queues, expiry="none", confirm="none")
    with Service(broker.url, database.url, without) as service:
        with Client(broker.url, queues) as client:
            assert client.order(holding(client.add(10), 2, 60)).json["success"]
            assert not client.exists(queues.expiry) and not client.exists(queues.confirm)
        assert queues.expiry not in service.log
        # What it does not give back, it still tells.
        wait_for(lambda: service.metrics()["inventory_holds_open"] == 1, "counted")


# What an operator sees.


def test_dead_letters_of_expiries_are_listed_and_replayed(broker, database, queues, client):
    with Service(broker.url, database.url, queues) as service:
        shirt = client.add(10)
        client.publish(queues.expiry, b"no JSON", message_id="odd")
        client.publish(queues.expiry, {"product_id": shirt, "identity": "c1"}, message_id="wrong")
        wait_for(lambda: client.count(f"{queues.expiry}.dlq") == 2, "two letters")
        listed = run(
            "dead-letters", "list", "--json", *queues.options(), AMQP_URL=broker.url
        ).stdout.splitlines()
        assert [json.loads(line)["original_queue"] for line in listed] == 2 * [queues.expiry]
        done = run(
            "dead-letters",
            "replay",
            "--queue",
            queues.expiry,
            *queues.options(),
            AMQP_URL=broker.url,
        )
        assert done.returncode == 0 and "replayed 2 of 2" in done.stdout, done.stderr
        name = f'inventory_dead_letters_total{{queue="{queues.expiry}",reason="invalid"}}'
        wait_for(lambda: service.metrics()[name] == 4, "decided again")


def test_what_is_held_is_shown(service, database, client):
    shirt, sock, hat = client.add(10), client.add(10), client.add(10)
    client.order(basket(LONG, (shirt, 2), (sock, 1)))
    client.order(holding(shirt, 3, LONG))
    page = json.loads(service.get("/items")[1])["items"]
    assert [(item["id"], item["quantity"], item["held"]) for item in page] == [
        (shirt, 5, 5),
        (sock, 9, 1),
        (hat, 10, 0),
    ]
    assert json.loads(service.get(f"/items/{shirt}")[1])["held"] == 5
    shown = run("stock", "--json", DATABASE_URL=database.url).stdout.splitlines()
    assert [json.loads(line)["held"] for line in shown] == [5, 1, 0]
    table = run("stock", DATABASE_URL=database.url).stdout.splitlines()
    assert table[0].split()[:3] == ["ID", "QUANTITY", "HELD"]
    assert table[1].split()[:3] == [str(shirt), "5", "5"]


def test_holds_are_counted(service, client):
    client.order(holding(client.add(10), 2, LONG))
    wait_for(lambda: service.metrics()["inventory_holds_open"] == 1, "counted")
    assert service.metrics()["inventory_holds_due"] == 0


BROKEN = {
    "a hold that nobody ordered": (
        "INSERT INTO inventory_hold (product_id, identity, quantity, expires_at) "
        "VALUES ({product}, 'snobody', 1, '2100-01-01 00:00:00.000000')",
        "product {product}, order snobody: is held, but its order is not in the ledger as held",
    ),
    "a hold that has ended": (
        "INSERT INTO inventory_ledger "
        "(product_id, identity, outcome, quantity, delta, decided_at) VALUES "
        "({product}, 'fsheld', 'confirmed', 2, 0, '2100-01-01 00:00:00.000000')",
        "product {product}, order sheld: is held, though it was confirmed",
    ),
    "an order that holds nothing": (
        "DELETE FROM inventory_hold",
        "product {product}, order sheld: neither held nor confirmed, cancelled or expired",
    ),
    "a hold of another quantity": (
        "UPDATE inventory_hold SET quantity = 1",
        "product {product}, order sheld: 1 is held, of 2 that were ordered",
    ),
}


@pytest.mark.parametrize("what", BROKEN)
def test_verify_finds(broker, database, queues, client, what):
    with Service(broker.url, database.url, queues):
        shirt = client.add(10)
        client.order(holding(shirt, 2, LONG, "held"))
        assert verified(database) is True
    statement, line = BROKEN[what]
    statement = statement.format(product=shirt)
    if database.kind == "postgres":
        database.execute(statement)
    else:
        with contextlib.closing(sqlite3.connect(database.path)) as connection:
            connection.execute(statement)
            connection.commit()
    done = run("verify", DATABASE_URL=database.url)
    assert done.returncode == 1, done.stdout + done.stderr
    assert done.stdout.splitlines()[0] == line.format(product=shirt)


def test_a_hold_that_cannot_be_read_costs_itself(broker, postgres, queues):
    """In a database that does not know the encoding of its text."""
    database = Postgres.new_database(postgres.url, ANY_BYTES)
    with Service(broker.url, database.url, queues) as service, Client(broker.url, queues) as client:
        product = client.add(5)
        assert client.order(holding(product, 2, 1)).json["success"]
        database.execute(
            "INSERT INTO inventory_hold (product_id, identity, quantity, expires_at)"
            f" VALUES ({product}, 's' || chr(252), 1, now() - interval '1 hour')"
        )
        wait_for(lambda: expiries(database, product) == [2], "the other is given back")
        wait_for(lambda: client.count(f"{queues.expiry}.dlq") == 1, "it is dead-lettered")
        assert service.get("/readyz")[0] == 200
