"""Whatever fails, and whenever: nothing is lost, nothing is decided twice, stock and ledger agree.

Each test is a scenario; a seed decides what is asked and what fails, and in which order.
"""

import contextlib

import pytest

import faults
from database import Postgres, Sqlite
from gate import Gate
from servers import Server
from service import Queues
from world import World


@pytest.fixture(scope="module")
def broker(folder):
    with Server("rabbitmq", folder / "rabbitmq") as server:
        yield server


def through(gate, url, server):
    return url.replace(str(server.port), str(gate.port)) + "?heartbeat=2"


def test_with_postgres(broker, folder, rounds):
    with contextlib.ExitStack() as stack:
        postgres = stack.enter_context(Server("postgres", folder / "postgres"))
        broker_gate = stack.enter_context(Gate(broker.port))
        database_gate = stack.enter_context(Gate(postgres.port))

        def make_faults(world, chance, say):
            faults.happen(world, faults.SERVICE + faults.BROKER + faults.DATABASE, chance, say)

        for seed in rounds:
            database = Postgres.new_schema(postgres.url)
            world = World(
                Queues.fresh(),
                database,
                [broker.url],
                (
                    through(broker_gate, broker.url, broker),
                    database.url.replace(str(postgres.port), str(database_gate.port)),
                ),
                broker=broker,
                broker_gate=broker_gate,
                database_server=postgres,
                database_gate=database_gate,
            )
            rounds.add(world.run(seed, make_faults, "with postgres"))


def test_with_sqlite(broker, folder, rounds):
    with Gate(broker.port) as broker_gate:

        def make_faults(world, chance, say):
            faults.happen(world, 3 * faults.SERVICE + faults.BROKER, chance, say)

        for seed in rounds:
            database = Sqlite(folder)
            world = World(
                Queues.fresh(),
                database,
                [broker.url],
                (through(broker_gate, broker.url, broker), database.url),
                instances=1,
                broker=broker,
                broker_gate=broker_gate,
            )
            rounds.add(world.run(seed, make_faults, "with sqlite"))
