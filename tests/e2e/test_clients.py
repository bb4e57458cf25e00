"""Clients in other languages, and the examples of docs/clients.md as they stand there."""

import json
import os
import pathlib
import re
import subprocess

import pytest

from client import Client
from database import Sqlite, stock
from service import DEADLINE_S, Queues, Service

ROOT = pathlib.Path(__file__).resolve().parents[2]
CLIENTS = ROOT / "tests/clients"
EXAMPLES = re.findall(
    r"^## ([\w.]+).*?^```(\w+)\n(.*?)^```", (ROOT / "docs/clients.md").read_text(), re.M | re.S
)
PROGRAMS = {"js": ["node", "-"], "ruby": ["ruby", "-"], "python": ["/usr/bin/python3", "-"]}


def run(broker, *command, program=None):
    done = subprocess.run(
        command,
        input=program,
        cwd=CLIENTS,
        env=os.environ | {"AMQP_URL": broker.url.removesuffix("/")},  # see Bunny in clients.md
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("name, language, program", EXAMPLES, ids=[name for name, *_ in EXAMPLES])
def test_each_example_prints_its_answer(broker, folder, name, language, program):
    """On the contract's own queues, and for product 1."""
    database = Sqlite(folder)
    with Client(broker.url, Queues()) as client:
        for queue in (Queues.order, Queues.item):
            client.channel.queue_delete(queue)
        with Service(broker.url, database.url, Queues()):
            assert client.add(10) == 1
            answer = json.loads(run(broker, *PROGRAMS[language], program=program))
    assert answer["message"] == "Inventory updated" and answer["order_data"]["quantity"] == 2
    assert stock(database) == {1: 8}
    assert len(program.splitlines()) <= 14


@pytest.mark.parametrize("how", ["direct", "queue", "confirms"])
@pytest.mark.parametrize("client", [["node", "amqplib.js"], ["ruby", "bunny.rb"]], ids=["node", "ruby"])
def test_every_order_is_answered(broker, shop, client, how):
    product = shop.add(1000)
    assert run(broker, *client, how, shop.queues.order, str(product)) == "100\n"


def test_every_order_of_nestjs_is_answered(broker, shop):
    product = shop.add(1000)
    assert run(broker, "node", "nest.js", shop.queues.order, str(product)) == "100\n"
