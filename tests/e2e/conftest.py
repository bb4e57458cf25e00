import pytest

from client import Client
from database import Postgres, Sqlite
from servers import Server
from service import Queues, Service


@pytest.fixture(scope="session")
def broker(folder):
    with Server("rabbitmq", folder / "rabbitmq") as server:
        yield server


@pytest.fixture(scope="session")
def postgres(folder):
    with Server("postgres", folder / "postgres") as server:
        yield server


@pytest.fixture(scope="module")
def own_broker(folder, request):
    """One that a module may kill."""
    with Server("rabbitmq", folder / f"{request.module.__name__}-rabbitmq") as server:
        yield server


@pytest.fixture(scope="module")
def own_postgres(folder, request):
    with Server("postgres", folder / f"{request.module.__name__}-postgres") as server:
        yield server


@pytest.fixture(params=["sqlite", "postgres"])
def own_database(request, folder):
    if request.param == "sqlite":
        return Sqlite(folder)
    return Postgres.new_schema(request.getfixturevalue("own_postgres").url)


def make_database(request, kind):
    if kind == "sqlite":
        return Sqlite(request.getfixturevalue("folder"))
    return Postgres.new_schema(request.getfixturevalue("postgres").url)


@pytest.fixture(params=["sqlite", "postgres"])
def database(request):
    """A new database for each test, of each kind."""
    return make_database(request, request.param)


@pytest.fixture
def queues():
    return Queues.fresh()


@pytest.fixture
def client(broker, queues):
    with Client(broker.url, queues) as connected:
        yield connected


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def shared(request, broker):
    """A service for all tests of a module, with each kind of database: its queues."""
    names = Queues.fresh()
    with Service(broker.url, make_database(request, request.param).url, names):
        yield names


@pytest.fixture
def shop(broker, shared):
    """A client of the module's service."""
    with Client(broker.url, shared) as connected:
        yield connected
