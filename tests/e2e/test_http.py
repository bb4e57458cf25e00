"""Health and metrics over HTTP: what they say, and that they never get in the way of orders."""

import contextlib
import http.client
import json
import re
import signal
import socket
import time

import pytest

from client import Client, new_id
from database import Postgres, Sqlite
from servers import Server
from service import DEADLINE_S, Service
from waiting import wait_for

CHECKS = ["broker", "database", "schema", "draining", "blocked", "paused", "holds", "delivery_limit"]
ALL_WELL = "".join(f"[+]{name} ok\n" for name in CHECKS) + "readyz check passed\n"


@pytest.fixture
def own_postgres(folder):
    with Server("postgres", folder / f"http-postgres.{new_id()}") as server:
        yield server


def wait_ready(service):
    wait_for(lambda: service.get("/readyz")[0] == 200, "ready")


def wait_for_failure(service, names):
    """Waits until exactly these checks fail, and returns the page. The process lives meanwhile."""

    def failure():
        status, page = service.get("/readyz?verbose")
        failed = re.findall(r"^\[-\](\w+) \S", page, re.MULTILINE)
        return status == 503 and failed == names and page

    page = wait_for(failure, f"{names} fail")
    assert page.endswith("readyz check failed\n")
    assert service.get("/livez") == (200, "ok\n")
    return page


def test_it_is_ready_when_it_consumes_and_lists_its_checks(broker, database, queues):
    with Service(broker.url, database.url, queues) as service:
        assert service.get("/livez") == (200, "ok\n")
        assert service.get("/readyz") == (200, "ok\n")
        assert service.get("/readyz?verbose") == (200, ALL_WELL)
        assert service.get("/")[0] == 404


def test_without_a_broker_it_is_not_ready_and_says_why(own_broker, folder, queues):
    with Service(own_broker.url, Sqlite(folder).url, queues) as service:
        own_broker.stop()
        try:
            page = wait_for_failure(service, ["broker"])
            assert f"{queues.order}: " in page and f"{queues.item}: " in page
        finally:
            own_broker.start()
        wait_ready(service)
        assert service.metrics()[f'inventory_reconnects_total{{queue="{queues.order}"}}'] == 1


def test_without_a_database_it_is_not_ready_and_says_why(broker, own_postgres, queues):
    database = Postgres.new_schema(own_postgres.url)
    with Service(broker.url, database.url, queues) as service:
        with Client(broker.url, queues) as client:
            product = client.add(1)
            own_postgres.stop()
            client.publish(
                queues.order, {"order_id": 1, "product_id": product, "quantity": 1},
                reply_to=client.reply_to,
            )
            page = wait_for_failure(service, ["database"])
            assert f"127.0.0.1:{own_postgres.port}" in page
            own_postgres.start()
            assert client.receive().json["success"]
        wait_ready(service)
        retries = {
            name: value
            for name, value in service.metrics().items()
            if name.startswith("inventory_retries_total") and queues.order in name
        }
        assert sum(retries.values()) >= 1


def test_before_its_first_contact_with_the_database_it_is_not_ready(broker, own_postgres, queues):
    database = Postgres.new_schema(own_postgres.url)
    own_postgres.stop()
    service = Service(broker.url, database.url, queues).start()
    try:
        page = wait_for_failure(service, ["database", "schema"])
        assert f"127.0.0.1:{own_postgres.port}" in page
    finally:
        own_postgres.start()
    with service:
        wait_ready(service)


def test_while_the_broker_blocks_and_while_it_drains_it_is_not_ready(own_broker, folder, queues):
    database = Sqlite(folder)
    with Client(own_broker.url, queues) as client:
        client.channel.queue_declare(queues.order, durable=True)
        order = {"order_id": 1, "product_id": 1, "quantity": 1}
        client.publish(queues.order, order, reply_to=client.reply_to)
        wait_for(lambda: client.count(queues.order) == 1, "the order is in the queue")
        # The broker blocks a connection at its first publish: the service's, with its reply.
        service = Service(own_broker.url, database.url, queues)
        with own_broker.memory_alarm(), service.running():
            page = wait_for_failure(service, ["blocked"])
            assert f"{queues.order}: the broker takes no messages" in page
            blocked = f'inventory_blocked_seconds_total{{queue="{queues.order}"}}'
            wait_for(lambda: service.metrics()[blocked] > 0, "blocked time is counted")
            condition = f'inventory_condition{{condition="blocked",queue="{queues.order}"}}'
            assert service.metrics()[condition] == 1
            service.process.send_signal(signal.SIGTERM)
            page = wait_for_failure(service, ["draining"])
            assert "finishing what is in flight" in page
            own_broker.end_memory_alarm()
            assert service.process.wait(timeout=DEADLINE_S) == 0
        assert client.receive().json["message"] == "Product not found"


def expected_metrics(queues, product, client):
    """Sends requests of every kind and returns what they must be counted as."""
    gone = f"{queues.order}.gone"
    client.order({"order_id": 1, "product_id": product, "quantity": 1})
    client.order({"order_id": 1, "product_id": product, "quantity": 1})
    client.order({"order_id": 1, "product_id": product, "quantity": 2})
    client.order({"order_id": 2, "product_id": product, "quantity": 100})
    client.order({"order_id": 3, "product_id": product + 1, "quantity": 1})
    client.order(b"no JSON")
    client.order(b" " * 65537)
    client.publish(
        queues.order, {"order_id": 4, "product_id": product, "quantity": 1}, reply_to=gone
    )
    client.order({"order_id": 5, "product_id": product, "quantity": 1})
    client.item({"quantity": -1})
    order, item = f'queue="{queues.order}"', f'queue="{queues.item}"'
    return {
        f'inventory_decisions_total{{outcome="accepted",{order},reason=""}}': 3,
        f'inventory_decisions_total{{outcome="rejected",{order},reason="conflict"}}': 1,
        f'inventory_decisions_total{{outcome="rejected",{order},reason="not_enough_stock"}}': 1,
        f'inventory_decisions_total{{outcome="rejected",{order},reason="product_not_found"}}': 1,
        f'inventory_decisions_total{{outcome="invalid",{order},reason="invalid"}}': 1,
        f'inventory_decisions_total{{outcome="invalid",{order},reason="too_large"}}': 1,
        f'inventory_decisions_total{{outcome="invalid",{order},reason="refused"}}': 0,
        f'inventory_decisions_total{{outcome="added",{item},reason=""}}': 1,
        f'inventory_decisions_total{{outcome="invalid",{item},reason="invalid"}}': 1,
        f"inventory_replays_total{{{order}}}": 1,
        f"inventory_replays_total{{{item}}}": 0,
        f'inventory_dead_letters_total{{{order},reason="invalid"}}': 1,
        f'inventory_dead_letters_total{{{order},reason="too_large"}}': 1,
        f'inventory_dead_letters_total{{{item},reason="invalid"}}': 1,
        f"inventory_replies_returned_total{{{order}}}": 1,
        f"inventory_replies_given_up_total{{{order}}}": 0,
        f"inventory_messages_in_flight{{{order}}}": 0,
        f"inventory_reconnects_total{{{order}}}": 0,
        f"inventory_blocked_seconds_total{{{order}}}": 0,
        f'inventory_condition{{condition="consuming",{order}}}': 1,
        f'inventory_condition{{condition="paused",{order}}}': 0,
        f"messaging_client_consumed_messages_total{{{order}}}": 9,
        f"messaging_client_consumed_messages_total{{{item}}}": 2,
        f"messaging_client_sent_messages_total{{{order}}}": 8 + 2,
        f"messaging_client_sent_messages_total{{{item}}}": 2 + 1,
        f"messaging_process_duration_seconds_count{{{order}}}": 9,
        f"inventory_batch_messages_sum{{{order}}}": 9,
    }


def test_each_request_is_counted_as_what_it_was(broker, database, client, queues):
    with Service(broker.url, database.url, queues) as service:
        expected = expected_metrics(queues, client.add(10), client)

        def counted():
            metrics = service.metrics()
            return {name: metrics.get(name) for name in expected} == expected

        with contextlib.suppress(AssertionError):
            wait_for(counted, "all acknowledged")  # the last one is, soon after its reply
        metrics = service.metrics()
        assert {name: metrics.get(name) for name in expected} == expected
        batches = metrics[f'inventory_batch_messages_count{{queue="{queues.order}"}}']
        for series in (
            f'inventory_stage_duration_seconds_count{{queue="{queues.order}",stage="decide"}}',
            f'inventory_stage_duration_seconds_count{{queue="{queues.order}",stage="publish"}}',
        ):
            assert metrics[series] == batches
        assert metrics[f'db_client_operation_duration_seconds_count{{queue="{queues.order}"}}'] >= 1
        assert metrics["process_open_fds"] > 3


def test_what_clients_do_to_the_listener_does_not_disturb_orders(broker, folder, client, queues):
    with Service(broker.url, Sqlite(folder).url, queues) as service, contextlib.ExitStack() as open_:
        product = client.add(1000)

        def connect(first_bytes):
            connection = socket.create_connection(("127.0.0.1", service.http_port), DEADLINE_S)
            open_.enter_context(connection)
            connection.sendall(first_bytes)
            return connection

        for number in range(300):
            connect(b"GET /metr" if number % 2 else b"")
        connect(b"GET /" + b"x" * 1_000_000)
        for number in range(100):
            order = {"order_id": number, "product_id": product, "quantity": 1}
            assert client.order(order).json["success"]
        assert service.get("/readyz") == (200, "ok\n")
        answer = connect(b"GET /" + b"x" * 10_000 + b" HTTP/1.1\r\n").recv(1000)
        assert answer.startswith(b"HTTP/1.1 431 ")
        fds = service.metrics()["process_open_fds"]
        assert fds < 100


def test_it_serves_where_its_address_is_taken(broker, folder, client, queues):
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        options = [f"--http-listen={address}"]
        with Service(broker.url, Sqlite(folder).url, queues, options) as service:
            service.wait_for_log(f"http: cannot listen on {address}: Address already in use")
            assert client.item({"quantity": 1}).json["success"]
            other.close()
            service.wait_for_log("http: listening on")
            assert service.get("/readyz")[0] == 200


def test_it_can_do_without_a_listener(broker, folder, client, queues):
    options = ["--http-listen=none"]
    with Service(broker.url, Sqlite(folder).url, queues, options) as service:
        assert client.item({"quantity": 1}).json["success"]
        assert service.stop() == 0
        assert "http:" not in service.log


def test_slow_readers_of_large_pages_take_little_memory_and_disturb_nobody(
    broker, folder, client, queues
):
    with Service(broker.url, Sqlite(folder).url, queues) as service, contextlib.ExitStack() as open_:
        for _ in range(150):
            client.publish(
                queues.item,
                {"quantity": 1000, "description": 9_990 * '"'},
                reply_to=client.reply_to,
            )
        product = client.receive_all(150)[0].json["id"]

        def resident():
            return service.metrics()["process_resident_memory_bytes"]

        before = resident()
        for _ in range(30):
            reader = socket.socket()
            reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            reader.settimeout(DEADLINE_S)
            reader.connect(("127.0.0.1", service.http_port))
            open_.enter_context(reader)
            reader.sendall(b"GET /items?limit=1000 HTTP/1.1\r\nHost: localhost\r\n\r\n")
            with contextlib.suppress(ConnectionError):
                reader.recv(1)
        for number in range(50):
            order = {"order_id": number, "product_id": product, "quantity": 1}
            assert client.order(order).json["success"]
        assert service.get("/livez") == (200, "ok\n")
        assert resident() - before < 8 << 20


def test_a_page_of_another_host_in_a_browser_reads_nothing(broker, folder, queues):
    with Service(broker.url, Sqlite(folder).url, queues) as service:
        for host, status in (
            ("localhost:1", 200),
            ("127.0.0.1", 200),
            ("[::1]:9464", 200),
            ("evil.example", 421),
            ("", 421),
        ):
            connection = http.client.HTTPConnection("127.0.0.1", service.http_port, DEADLINE_S)
            with contextlib.closing(connection):
                connection.putrequest("GET", "/items", skip_host=True)
                connection.putheader("Host", host)
                connection.endheaders()
                assert connection.getresponse().status == status, host


def test_items_page_by_page_whatever_they_hold(broker, database, client, queues):
    with Service(broker.url, database.url, queues) as service:
        for _ in range(40):
            client.publish(
                queues.item, {"quantity": 1, "description": 9_000 * "x"}, reply_to=client.reply_to
            )
        ids = sorted(reply.json["id"] for reply in client.receive_all(40))
        read, after, pages = [], 0, 0
        while after is not None:
            status, body = service.get(f"/items?after={after}&limit=1000")
            assert status == 200 and len(body) <= 128 * 1024
            page = json.loads(body)
            read += [item["id"] for item in page["items"]]
            after = page["next"]
            pages += 1
        assert read == ids and pages > 2
