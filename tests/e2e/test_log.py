"""The log: for people or for machines, never with a credential."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import urllib.request

import pytest

from client import Client
from database import Postgres, Sqlite
from service import DEADLINE_S, PROGRAM, Service, environment
from waiting import wait_for

SECRET = "s3cret-w0rd"


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def test_every_line_of_a_json_log_is_an_object(broker, database, queues):
    with Service(broker.url, database.url, queues, ["--log-format=json"]) as service:
        with Client(broker.url, queues) as client:
            client.order(b"no JSON", correlation_id='"\n\0 Zoë')
        assert service.stop() == 0
        for line in service.lines:
            assert {"time", "level", "message"} <= set(json.loads(line))


TRACE = "0af7651916cd43dd8448eb211c80319c"
TRACEPARENT = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}


def test_a_line_about_a_request_names_its_order_product_and_trace(
    broker, database, client, queues
):
    order = {"order_id": "o 1", "product_id": 7, "quantity": 0}
    with Service(broker.url, database.url, queues, ["--log-format=json"]) as service:
        client.order(order, headers=TRACEPARENT)
        client.order(order | {"quantity": 1}, headers=TRACEPARENT)
        assert service.stop() == 0
        [record] = [json.loads(line) for line in service.lines if "trace_id" in line]
        assert record["level"] == "warn"
        assert "a request is invalid and dead-lettered: quantity must be" in record["message"]
        assert record["queue"] == queues.order
        assert record["order_id"] == "o 1"
        assert record["trace_id"] == TRACE


def test_at_the_level_debug_there_is_a_line_for_each_order(broker, database, client, queues):
    with Service(broker.url, database.url, queues, ["--log-level=debug"]) as service:
        order = {"order_id": "o 1", "product_id": 7, "quantity": 1}
        client.order(order, headers=TRACEPARENT)
        fields = f'order_id="o 1" product_id=7 trace_id={TRACE}'
        service.wait_for_log(f"{queues.order}: product not found {fields}")
        client.publish(queues.order, order, reply_to="gone", headers=TRACEPARENT)
        service.wait_for_log(f"{queues.order}: decided before: product not found {fields}")
        service.wait_for_log(f"{queues.order}: reply queue gone is gone {fields}")


def test_a_client_that_sends_nonsense_does_not_fill_the_log(broker, database, client, queues):
    with Service(broker.url, database.url, queues) as service:
        for _ in range(500):
            client.publish(queues.order, b"nonsense", reply_to=client.reply_to)
        client.receive_all(500)
        assert service.stop() == 0
        assert sum("dead-lettered" in line for line in service.lines) < 250


@pytest.mark.parametrize("level", ["trace", "info"])
def test_passwords_stay_out_of_it(broker, postgres, queues, level):
    """PostgreSQL lets everyone in here; that the broker does not is what makes it fail loudly."""
    database = Postgres.new_schema(postgres.url)
    url = database.url.replace("postgres@", f"postgres:{SECRET}@")
    with Service(broker.url, url, queues, [f"--log-level={level}"]) as service:
        assert service.stop() == 0
        assert SECRET not in service.log
    wrong = broker.url.replace("guest:guest", f"guest:{SECRET}")
    service = Service(wrong, url, queues, [f"--log-level={level}"]).start()
    service.wait_for_log("ACCESS_REFUSED")
    assert service.stop() == 0
    assert SECRET not in service.log


def test_a_log_that_nobody_reads_stops_nothing(broker, folder, client, queues):
    """A pipe that is full: orders go on, health is answered, SIGTERM ends it."""
    read_end, write_end = os.pipe()
    with contextlib.ExitStack() as open_:
        for end in (read_end, write_end):
            open_.callback(os.close, end)
        port = free_port()
        process = subprocess.Popen(
            [PROGRAM, "serve", *queues.options(), "--log-level=debug"],
            env=environment(
                AMQP_URL=broker.url,
                DATABASE_URL=Sqlite(folder).url,
                INVENTORY_HTTP_LISTEN=f"127.0.0.1:{port}",
            ),
            stdin=subprocess.DEVNULL,
            stderr=write_end,
        )
        try:
            wait_for(lambda: client.exists(queues.order), "the queue is there")
            product = client.add(10_000_000)
            dropped = 0
            for number in range(100_000):
                order = {"order_id": f"{number:0>120}", "product_id": product, "quantity": 1}
                client.publish(queues.order, order, reply_to=client.reply_to)
                if number % 500 == 499:
                    assert all(reply.json["success"] for reply in client.receive_all(500))
                    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as page:
                        text = page.read().decode()
                    dropped = float(re.search(r"^inventory_log_lines_dropped_total (\S+)", text, re.M)[1])
                    if dropped > 0:
                        break
            assert dropped > 0
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/livez") as page:
                assert page.read() == b"ok\n"
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=DEADLINE_S) == 0
        finally:
            process.kill()
            process.wait()


def test_a_log_whose_reader_has_gone_stops_nothing(broker, folder, client, queues):
    read_end, write_end = os.pipe()
    os.close(read_end)
    process = subprocess.Popen(
        [PROGRAM, "serve", *queues.options(), "--http-listen=none"],
        env=environment(AMQP_URL=broker.url, DATABASE_URL=Sqlite(folder).url),
        stdin=subprocess.DEVNULL,
        stderr=write_end,
    )
    os.close(write_end)
    try:
        wait_for(lambda: client.exists(queues.order), "the queue is there")
        assert client.item({"quantity": 1}).json["success"]
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=DEADLINE_S) == 0
    finally:
        process.kill()
        process.wait()
