"""The log: for people or for machines, never with a credential."""

import json

import pytest

from client import Client
from database import Postgres
from service import Service

SECRET = "s3cret-w0rd"


def test_every_line_of_a_json_log_is_an_object(broker, database, queues):
    with Service(broker.url, database.url, queues, ["--log-format=json"]) as service:
        with Client(broker.url, queues) as client:
            client.order(b"no JSON", correlation_id='"\n\0 Zoë')
        assert service.stop() == 0
        for line in service.lines:
            assert {"time", "level", "message"} <= set(json.loads(line))


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
