"""What the console reads: the state of an instance, and the dead letters that it has made."""

import json
import os
import re
import socket
import subprocess

import pytest

from client import Client
from database import Sqlite
from service import DEADLINE_S, PROGRAM, Service, environment
from waiting import wait_for


def read(service, target):
    status, text = service.get(target)
    assert status == 200
    return json.loads(text)


def queue_of(service, queue):
    return next(one for one in read(service, "/status")["queues"] if one["queue"] == queue)


def test_it_tells_what_an_instance_and_its_queues_do(broker, database, client, queues):
    with Service(broker.url, database.url, queues) as service:
        product = client.add(10)
        client.order({"order_id": 1, "product_id": product, "quantity": 1, "hold_seconds": 900})
        client.order(b"no JSON")

        def counted():
            one = queue_of(service, queues.order)
            return one if one["dead_letters"] == 1 and one["in_flight"] == 0 else None

        assert wait_for(counted, "the broker's counts are told") == {
            "kind": "order",
            "queue": queues.order,
            "condition": "consuming",
            "reason": "",
            "ready": 0,
            "consumers": 1,
            "in_flight": 0,
            "replies_waiting": 0,
            "put_aside": 0,
            "dead_letters": 1,
        }

        def history():
            status = read(service, "/status")
            points = status["history"]["queues"].get(queues.order)
            return points if points and sum(map(bool, points["decided"])) else None

        points = wait_for(history, "there is a point of the history")
        assert sum(points["decided"]) <= 2
        assert {len(series) for series in points.values()} == {len(points["decided"])}
        last = max(index for index, count in enumerate(points["decided"]) if count)
        assert 0 < points["p50_ms"][last] <= points["p99_ms"][last]
        status = read(service, "/status")
        assert status["instance"]["host"] == socket.gethostname()
        assert status["instance"]["pid"] == service.process.pid
        assert re.fullmatch(r"\d+\.\d+\.\d+", status["instance"]["version"])
        assert status["instance"]["started_at"] < status["now"]
        assert status["ready"] is True
        assert {check["name"] for check in status["checks"]} >= {"broker", "database", "holds"}
        assert [one["kind"] for one in status["queues"]][:2] == ["order", "item"]
        assert {one["condition"] for one in status["queues"]} == {"consuming"}
        wait_for(lambda: read(service, "/status")["holds"], "holds are counted")
        assert service.stop() == 0


def test_it_tells_while_the_broker_is_away_and_when_it_is_back(own_broker, folder, queues):
    with Service(own_broker.url, Sqlite(folder).url, queues) as service:

        def ready():
            return queue_of(service, queues.order)["ready"]

        wait_for(lambda: ready() is not None, "the queue is counted")
        own_broker.stop()
        try:
            wait_for(lambda: ready() is None, "the count is not known any more")
            one = queue_of(service, queues.order)
            assert one["condition"] == "broker unavailable" and one["reason"]
            assert read(service, "/status")["ready"] is False
        finally:
            own_broker.start()
        wait_for(lambda: ready() is not None, "the queue is counted again")
        wait_for(
            lambda: queue_of(service, queues.order)["condition"] == "consuming", "it consumes again"
        )


def test_before_the_database_is_there_it_tells_that(broker, own_postgres, queues):
    own_postgres.stop()
    service = Service(broker.url, own_postgres.url, queues)
    try:
        with service.running():
            service.wait_for_log("http: listening on")
            wait_for(
                lambda: queue_of(service, queues.order)["condition"] == "database unavailable",
                "the database is told to be away",
            )
            assert read(service, "/status")["holds"] is None
    finally:
        own_postgres.start()


IDS = {
    "plain": "A-17",
    "shell": "it's \"$(touch reboot)\" `touch reboot` ; touch reboot # \\ ! %s *",
    "flag": "--yes",
    "lines": "a\nb",
    "escapes": "\x1b]0;x\x07\x1b[201~touch reboot\n",
    "backwards": "\u202eevil",
    "none": None,
}


@pytest.mark.parametrize("message_id", IDS.values(), ids=IDS.keys())
def test_the_command_line_of_a_dead_letter_replays_it(
    broker, folder, client, queues, message_id, tmp_path
):
    (tmp_path / "inventory-service").symlink_to(PROGRAM)
    settings = environment(
        AMQP_URL=broker.url, INVENTORY_ORDER_QUEUE=queues.order, INVENTORY_ITEM_QUEUE=queues.item
    )
    settings["PATH"] = f"{tmp_path}:{os.environ['PATH']}"
    body = '<script>alert("1")</script> \u202e'.encode() + b"\xff"
    with Service(broker.url, Sqlite(folder).url, queues) as service:
        assert read(service, "/dead-letters")["letters"] == []
        client.publish(
            queues.order,
            body,
            message_id=message_id,
            reply_to=client.reply_to,
            headers={"mine": "<b>", "number": 7},
        )

        def letters():
            return read(service, "/dead-letters")["letters"]

        wait_for(letters, "the letter is told of")
        (letter,) = letters()
        assert letter["queue"] == queues.order_dead and letter["reason"] == "invalid"
        assert letter["body"] == '<script>alert("1")</script> \u202e\\xff'
        assert letter["body_bytes"] == len(body)
        assert letter["message_id"] == message_id
        assert letter["headers"]["mine"] == "<b>" and letter["headers"]["number"] == 7
        assert re.fullmatch(r"[ -~]+", letter["replay"])
        replayed = subprocess.run(
            ["sh", "-c", letter["replay"]],
            env=settings,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
        )
        assert replayed.returncode == 0, replayed.stdout + replayed.stderr
        wait_for(lambda: len(letters()) == 2, "it is dead-lettered again")
        assert letters()[0]["body"] == letter["body"]
        assert client.count(queues.order_dead) == 1
        assert os.listdir(tmp_path) == ["inventory-service"]


def test_the_newest_hundred_dead_letters_are_kept(broker, folder, queues):
    with Service(broker.url, Sqlite(folder).url, queues) as service, Client(
        broker.url, queues
    ) as client:
        for number in range(150):
            client.publish(queues.order, f"letter {number}".encode(), reply_to=client.reply_to)
        client.receive_all(150)

        def told():
            page = read(service, "/dead-letters")
            (count,) = (
                one["count"] for one in page["queues"] if one["queue"] == queues.order_dead
            )
            numbers = {int(letter["body"].split()[1]) for letter in page["letters"]}
            return count == 150 and 149 in numbers and numbers

        assert len(wait_for(told, "all are told of")) == 100
