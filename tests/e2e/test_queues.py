"""Queues: what is declared, and what is joined as it is."""

import pathlib

import pytest

from client import Client, new_id
from service import Queues, Service

DOCS = pathlib.Path(__file__).resolve().parents[2] / "docs"


def works(client):
    """Both requests are answered, and dead letters are kept."""
    product = client.add(1)
    order = {"order_id": new_id(), "product_id": product, "quantity": 1}
    assert client.order(order).json["message"] == "Inventory updated"
    client.order(b"no JSON")
    client.take(client.queues.order_dead)
    client.item(b"no JSON")
    client.take(client.queues.item_dead)
    return True


def declared(queues):
    return [
        queues.order,
        queues.item,
        queues.order_response,
        queues.order_dead,
        queues.item_dead,
    ]


def test_new_queues_are_durable_and_classic(broker, database, client, queues):
    with Service(broker.url, database.url, queues):
        for queue in declared(queues):
            assert client.exists(queue)
            assert not client.exists(queue, durable=False)
            assert not client.exists(queue, durable=True, arguments={"x-queue-type": "quorum"})
            assert client.exists(queue, durable=True), "a peer may declare it plainly"
        assert not client.exists(queues.item_response)
        assert works(client)


@pytest.mark.parametrize("page", ["contract.md", "clusters.md"])
def test_a_page_about_queues_names_the_queue_of_each_kind(page):
    text = (DOCS / page).read_text()
    assert [queue for queue in Queues().requests.values() if queue not in text] == []


def test_the_names_are_those_of_the_contract(broker, database):
    queues = Queues()
    with Client(broker.url, queues) as client:
        for queue in declared(queues):
            client.channel.queue_delete(queue)
        service = Service(broker.url, database.url, queues)
        service.command = [part for part in service.command if "-queue=" not in part]
        with service:
            for queue in (
                "order_validate",
                "inventory_new_item",
                "order_validate_response",
                "order_validate.dlq",
                "inventory_new_item.dlq",
            ):
                assert client.exists(queue, durable=True)
            assert not client.exists("inventory_new_item_response")
            assert works(client)


def test_quorum_queues_where_they_are_asked_for(broker, database, client, queues):
    arguments = {"x-queue-type": "quorum", "x-delivery-limit": 2**31 - 1}
    with Service(broker.url, database.url, queues, ["--queue-type=quorum"]):
        for queue in declared(queues):
            assert client.exists(queue, durable=True, arguments=arguments)
            assert not client.exists(queue, durable=True)
        assert works(client)


EXISTING = {
    "plain": {"durable": True},
    "transient": {"durable": False},
    "priorities": {"durable": True, "arguments": {"x-max-priority": 5}},
    "lazy with limits": {
        "durable": True,
        "arguments": {"x-queue-mode": "lazy", "x-message-ttl": 3_600_000, "x-max-length": 1000},
    },
    "classic by name": {"durable": True, "arguments": {"x-queue-type": "classic"}},
    "quorum": {"durable": True, "arguments": {"x-queue-type": "quorum"}},
    "dead-lettering": {
        "durable": True,
        "arguments": {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "elsewhere"},
    },
}


@pytest.mark.parametrize("existing", EXISTING.values(), ids=EXISTING)
@pytest.mark.parametrize("queue_type", ["classic", "quorum"])
def test_queues_that_exist_are_joined_as_they_are(broker, folder, client, existing, queue_type):
    queues = client.queues
    for queue in declared(queues):
        client.channel.queue_declare(queue, **existing)
    database = f"sqlite:{folder / new_id()}.db"
    with Service(broker.url, database, queues, [f"--queue-type={queue_type}"]):
        for queue in declared(queues):
            assert client.exists(queue, **existing)
        assert works(client)


def test_requests_that_came_before_the_service_are_processed(broker, database, client, queues):
    for queue in (queues.order, queues.item):
        client.channel.queue_declare(queue, durable=True)
    client.publish(queues.item, {"quantity": 5}, reply_to=client.reply_to, message_id="before")
    client.publish(queues.order, b"no JSON", reply_to=client.reply_to)
    with Service(broker.url, database.url, queues):
        replies = [reply.json["message"] for reply in client.receive_all(2)]
    assert sorted(replies)[1] == "Item added"
    assert sorted(replies)[0].startswith("Invalid order: ")


def test_message_bytes_max_is_a_limit_in_bytes(broker, database, client, queues):
    with Service(broker.url, database.url, queues, ["--message-bytes-max=1024"]):
        assert client.item(b'{"quantity": 1}'.ljust(1024)).json["message"] == "Item added"
        assert client.item(b'{"quantity": 1}'.ljust(1025)).json["success"] is False
        letter, _ = client.take(queues.item_dead)
        assert letter.headers["error-reason"] == "too-large"
