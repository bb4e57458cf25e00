"""Items: what is added, and how often."""

import datetime
import json
import re

import pytest

from client import new_id
from database import ANY_BYTES, Postgres
from service import Service


def test_an_item_is_added_and_described(shop):
    before = datetime.datetime.now(datetime.timezone.utc)
    reply = shop.item({"quantity": 10, "description": "Blue T-shirt, size M"})
    after = datetime.datetime.now(datetime.timezone.utc)
    item = reply.json
    assert list(item) == ["id", "quantity", "description", "created_at", "success", "message"]
    assert type(item["id"]) is int and item["id"] >= 1
    assert item["quantity"] == 10
    assert item["description"] == "Blue T-shirt, size M"
    assert item["success"] is True
    assert item["message"] == "Item added"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00", item["created_at"])
    slack = datetime.timedelta(seconds=1)
    created_at = datetime.datetime.fromisoformat(item["created_at"])
    assert before - slack <= created_at <= after + slack
    assert not reply.replayed


@pytest.mark.parametrize(
    "members, description",
    [
        ('"quantity": 1', None),
        ('"quantity": 1, "description": null', None),
        ('"quantity": 1, "description": ""', ""),
        ('"quantity": 1, "description": "Zoë \\u00e9 😀 \\" \\\\ \\n"', 'Zoë é 😀 " \\ \n'),
        ('"quantity": 1, "description": "%s"' % (10_000 * "x"), 10_000 * "x"),
        ('"quantity": 1, "description": "%s"' % (5_000 * "é"), 5_000 * "é"),
        ('"quantity": 0, "colour": ["blue", 1e400]', None),
        ('"quantity": 9007199254740991', None),
    ],
)
def test_valid_items(shop, members, description):
    item = shop.item(f" {{{members}}} ".encode()).json
    assert item["message"] == "Item added"
    assert item["description"] == description
    assert item["quantity"] == json.loads(f"{{{members}}}")["quantity"]


def test_each_item_has_an_id_of_its_own_that_can_be_ordered(shop):
    ids = [shop.add(3) for _ in range(5)]
    assert len(set(ids)) == 5
    for product in ids:
        order = {"order_id": new_id(), "product_id": product, "quantity": 3}
        assert shop.order(order).json["message"] == "Inventory updated"


@pytest.mark.parametrize("identity", ["", 219 * "x", "Zoë 😀 ", "a\0b ", "\n"])
def test_the_same_message_id_adds_one_item(shop, identity):
    identity += new_id()
    first = shop.item({"quantity": 5, "description": "once"}, message_id=identity)
    assert first.json["success"] and not first.replayed
    again = shop.item({"quantity": 5, "description": "once"}, message_id=identity)
    assert again.body == first.body
    assert again.replayed
    assert again.properties.correlation_id != first.properties.correlation_id


@pytest.mark.parametrize("name", ["message_id", "correlation_id"])
@pytest.mark.parametrize(
    "other", [{"quantity": 6}, {"quantity": 5, "description": "other"}, {"quantity": 5, "x": 1}]
)
def test_another_item_under_an_identity_that_was_used_is_a_conflict(shop, name, other):
    identity = new_id()
    first = shop.item({"quantity": 5}, **{name: identity})
    again = shop.item(other, **{name: identity})
    if "x" in other:  # which is no part of the item
        assert again.body == first.body and again.replayed
        return
    assert again.json == {
        "id": None,
        "quantity": other["quantity"],
        "description": other.get("description"),
        "created_at": None,
        "success": False,
        "message": "Invalid item: message_id or correlation_id was already used for item "
        f"{first.json['id']} with another quantity, description, product_id or low_stock",
    }
    assert not again.replayed
    replay = shop.item({"quantity": 5}, **{name: identity})
    assert replay.body == first.body and replay.replayed


def test_items_of_a_client_whose_correlation_ids_are_not_unique_are_not_swallowed(shop):
    """Of several items at once, in one batch or not, exactly one is added."""
    identity = new_id()
    for quantity in range(20):
        shop.publish(
            shop.queues.item,
            {"quantity": quantity},
            reply_to=shop.reply_to,
            correlation_id=identity,
        )
    answers = [reply.json for reply in shop.receive_all(20)]
    assert [answer["success"] for answer in answers].count(True) == 1
    assert sum("was already used" in answer["message"] for answer in answers) == 19


def test_stored_text_that_is_no_utf_8_is_other_content(broker, postgres, queues, client):
    """What a repeated request is compared with may be any bytes where the database takes them."""
    database = Postgres.new_database(postgres.url, ANY_BYTES)
    with Service(broker.url, database.url, queues) as service:
        item = {"quantity": 5, "description": "grün"}
        first, second = (client.item(item, message_id=identity) for identity in ("m1", "m2"))
        assert first.json["success"] and second.json["success"]
        order = {"order_id": 7, "product_id": second.json["id"], "quantity": 1}
        assert client.order(order).json["success"]
        database.execute(
            "UPDATE inventory_item_request SET description = 'gr' || chr(252) || 'n'"
            " WHERE product_id = 1;"
            "UPDATE inventory_ledger SET outcome = 'accept' || chr(252) WHERE identity = 'i7'"
        )
        again = client.item(item, message_id="m1").json
        assert again["success"] is False and "was already used for item 1" in again["message"]
        assert client.item(item, message_id="m2").body == second.body
        # An outcome that nobody knows is put aside, and named.
        client.publish(queues.order, order)
        service.wait_for_log("table inventory_ledger, product_id 2, identity i7: outcome is")
        other = {"order_id": 8, "product_id": first.json["id"], "quantity": 1}
        assert client.order(other).json["success"]


def test_a_replay_shows_the_item_as_it_was_added(shop):
    identity = new_id()
    first = shop.item({"quantity": 5}, message_id=identity)
    shop.order({"order_id": new_id(), "product_id": first.json["id"], "quantity": 2})
    again = shop.item({"quantity": 5}, message_id=identity)
    assert again.body == first.body and again.replayed


def test_without_message_id_the_correlation_id_is_the_identity(shop):
    identity = new_id()
    first = shop.item({"quantity": 5}, correlation_id=identity)
    again = shop.item({"quantity": 5}, correlation_id=identity)
    assert again.body == first.body
    assert again.replayed and not first.replayed


def test_the_message_id_counts_before_the_correlation_id(shop):
    correlation_id = new_id()
    first = shop.item({"quantity": 5}, message_id=new_id(), correlation_id=correlation_id)
    other = shop.item({"quantity": 5}, message_id=new_id(), correlation_id=correlation_id)
    assert not other.replayed
    assert other.json["id"] != first.json["id"]


def test_a_message_id_and_a_correlation_id_of_one_spelling_are_two_identities(shop):
    identity = new_id()
    first = shop.item({"quantity": 5}, message_id=identity)
    other = shop.item({"quantity": 5}, correlation_id=identity)
    assert not other.replayed
    assert other.json["id"] != first.json["id"]


def test_without_identity_each_request_adds_an_item(shop):
    for _ in range(2):
        shop.publish(shop.queues.item, {"quantity": 5}, reply_to=shop.reply_to)
    first, other = shop.receive_all(2)
    assert first.json["success"] and other.json["success"]
    assert first.json["id"] != other.json["id"]
    assert not first.replayed and not other.replayed


def test_duplicates_side_by_side_add_one_item(shop):
    identity = new_id()
    for _ in range(50):
        shop.publish(
            shop.queues.item, {"quantity": 5}, message_id=identity, reply_to=shop.reply_to
        )
    replies = shop.receive_all(50)
    assert len({reply.body for reply in replies}) == 1
    assert [reply.replayed for reply in replies].count(False) == 1
