"""What cannot be processed: answered, and kept as a dead letter."""

import datetime
import json

import pytest

from client import new_id, with_id

NOT_AN_OBJECT = [
    b"",
    b" ",
    b"no JSON",
    b"[]",
    b'"text"',
    b"7",
    b"null",
    b"{",
    b'{"order_id": 1,}',
    b'{"order_id": 1} {}',
    b'{"order_id": 01}',
    b'{"order_id": NaN}',
    b'{"order_id": "\xff"}',
    b"\xef\xbb\xbf{}",
    b'{"order_id": 1}\0',
    b'{"x": ' + 10_000 * b"[" + 10_000 * b"]" + b"}",
]

ORDER_IDS = [None, "null", "true", "1.0", "1e0", '""', "[]", "{}", "9007199254740992"]
ORDER_IDS += ["-9007199254740992", "12345678901234567890123", '"a\\u0000b"']
ORDER_IDS += ['"\\ud83d"', '"a\\udc00b"']
ORDER_IDS += ['"' + 129 * "x" + '"', '"x' + 64 * "é" + '"']

POSITIVE = [None, "null", "true", "0", "-1", "2.0", "2e0", '"2"', "[2]", "{}"]
POSITIVE += ["9007199254740992", "18446744073709551616"]

WRONG_ORDERS = [
    *(("order_id", value) for value in ORDER_IDS),
    *(("product_id", value) for value in POSITIVE),
    *(("quantity", value) for value in POSITIVE),
]

WRONG_ITEMS = [
    *(("quantity", value) for value in POSITIVE if value != "0"),
    *(("description", value) for value in ("true", "1", "[]", "{}", '"a\\u0000b"')),
    ("description", '"gift \\ud83d"'),
    ("description", '"' + 10_001 * "x" + '"'),
    ("description", '"x' + 5_000 * "é" + '"'),
]


def object_of(**members):
    """A JSON object of members that are spelt already; None: no such member."""
    return ("{%s}" % ", ".join(f'"{n}": {v}' for n, v in members.items() if v is not None)).encode()


def ask(shop, queue, dead, body, **properties):
    """The reply to a request that is not valid, and its dead letter."""
    properties.setdefault("correlation_id", new_id())
    reply = shop.call(queue, body, **properties)
    letter, _ = shop.take(dead, with_id(properties["correlation_id"]))
    return reply, letter


def ask_order(shop, body, **properties):
    return ask(shop, shop.queues.order, shop.queues.order_dead, body, **properties)


def ask_item(shop, body, **properties):
    return ask(shop, shop.queues.item, shop.queues.item_dead, body, **properties)


def assert_dead_letter(letter, body, queue, reason, reply):
    assert letter.body == body
    headers = letter.headers
    assert headers["error-reason"] == reason
    assert headers["error-message"] in reply.json["message"]
    assert headers["original-queue"] == queue
    failed_at = datetime.datetime.fromisoformat(headers["failed-at"])
    age = datetime.datetime.now(datetime.timezone.utc) - failed_at
    assert abs(age) < datetime.timedelta(minutes=5)


@pytest.mark.parametrize("member, value", WRONG_ORDERS)
def test_orders_with_a_wrong_member(shop, member, value):
    members = {"order_id": '"x"', "product_id": "1", "quantity": "1"} | {member: value}
    body = object_of(**members, more="[1e400]")
    reply, letter = ask_order(shop, body)
    answer = reply.json
    assert list(answer) == ["order_id", "success", "message", "order_data"]
    assert answer["order_id"] == (None if member == "order_id" else "x")
    assert answer["success"] is False
    assert answer["message"].startswith("Invalid order: ")
    assert member in answer["message"]
    assert reply.body.endswith(body + b"}")
    assert not reply.replayed
    assert_dead_letter(letter, body, shop.queues.order, "invalid", reply)


@pytest.mark.parametrize("body", NOT_AN_OBJECT, ids=range(len(NOT_AN_OBJECT)))
def test_orders_that_are_no_json_object(shop, body):
    reply, letter = ask_order(shop, body)
    answer = reply.json
    assert answer["message"].startswith("Invalid order: ")
    del answer["message"]
    assert answer == {"order_id": None, "success": False, "order_data": None}
    assert_dead_letter(letter, body, shop.queues.order, "invalid", reply)


def test_half_of_a_surrogate_pair_is_echoed_where_nothing_stores_it(shop):
    """RFC 8259 allows it, and PHP, JavaScript and Python write it when they cut a text."""
    body = rb'{"order_id": "x", "product_id": 999999999, "quantity": 1, "note": "gift \ud83d"}'
    reply = shop.call(shop.queues.order, body)
    assert reply.json["message"] == "Product not found"
    assert reply.body.endswith(b'"order_data":' + body + b"}")
    reply, _ = ask_order(shop, body.replace(b'"x"', rb'"x\ud83d"'))
    assert reply.json["order_id"] is None
    assert "half of a surrogate pair" in reply.json["message"]
    reply = shop.call(shop.queues.item, rb'{"quantity": 1, "note": "\udc00"}')
    assert reply.json["success"]


def test_an_integer_order_id_is_repeated_where_others_are_wrong(shop):
    reply, _ = ask_order(shop, object_of(order_id="-7", product_id="0", quantity="1"))
    assert reply.json["order_id"] == -7


def test_an_order_that_is_not_valid_leaves_its_order_id_free(shop):
    order = {"order_id": new_id(), "product_id": shop.add(1), "quantity": 0}
    ask_order(shop, json.dumps(order).encode())
    reply = shop.order({**order, "quantity": 1})
    assert reply.json["message"] == "Inventory updated" and not reply.replayed


@pytest.mark.parametrize("member, value", WRONG_ITEMS)
def test_items_with_a_wrong_member(shop, member, value):
    members = {"quantity": "10", "description": '"Blue T-shirt"'} | {member: value}
    body = object_of(**members)
    reply, letter = ask_item(shop, body)
    answer = reply.json
    assert answer["message"].startswith("Invalid item: ")
    assert member in answer["message"]
    del answer["message"]
    assert answer == {
        "id": None,
        "quantity": None if member == "quantity" else 10,
        "description": None if member == "description" else "Blue T-shirt",
        "created_at": None,
        "success": False,
    }
    assert_dead_letter(letter, body, shop.queues.item, "invalid", reply)


@pytest.mark.parametrize("body", NOT_AN_OBJECT, ids=range(len(NOT_AN_OBJECT)))
def test_items_that_are_no_json_object(shop, body):
    reply, letter = ask_item(shop, body)
    answer = reply.json
    assert answer["message"].startswith("Invalid item: ")
    del answer["message"]
    assert answer == {
        "id": None,
        "quantity": None,
        "description": None,
        "created_at": None,
        "success": False,
    }
    assert_dead_letter(letter, body, shop.queues.item, "invalid", reply)


def test_an_item_that_is_not_valid_leaves_its_identity_free(shop):
    identity = new_id()
    ask_item(shop, b"{}", message_id=identity)
    reply = shop.item({"quantity": 1}, message_id=identity)
    assert reply.json["success"] and not reply.replayed


OWN_HEADERS = {"error-reason", "error-message", "original-queue", "failed-at"}


def test_a_dead_letter_keeps_the_properties_of_the_request(shop):
    headers = {"traceparent": "00-1-2-3", "tenant": "a", "nested": {"list": [1, "two", None]}}
    properties = {
        "content_type": "text/plain",
        "content_encoding": "identity",
        "delivery_mode": 2,
        "priority": 3,
        "correlation_id": new_id(),
        "reply_to": shop.reply_to,
        "message_id": new_id(),
        "timestamp": 1_700_000_000,
        "type": "order",
        "app_id": "shop",
        "cluster_id": "x",
    }
    for asked in (ask_order, ask_item):
        reply, letter = asked(shop, b"no JSON", headers=headers, **properties)
        assert {name: getattr(letter.properties, name) for name in properties} == properties
        assert {n: v for n, v in letter.headers.items() if n not in OWN_HEADERS} == headers
        assert OWN_HEADERS <= set(letter.headers)
        assert reply.headers == {"traceparent": "00-1-2-3"}


def test_a_dead_letter_does_not_expire_nor_go_to_others_nor_pose_as_its_sender(shop):
    """What would act once more on its way to the dead-letter queue is kept as a header."""
    others = {"CC": [shop.reply_to]}
    _, letter = ask_order(shop, b"no JSON", headers=others, expiration="60000", user_id="guest")
    assert letter.properties.expiration is None and letter.properties.user_id is None
    assert {n: v for n, v in letter.headers.items() if n not in OWN_HEADERS} == {
        "original-CC": [shop.reply_to],
        "original-expiration": "60000",
        "original-user-id": "guest",
    }


def test_a_request_without_reply_to_is_answered_on_the_fallback_queue(shop):
    correlation_id = new_id()
    shop.publish(shop.queues.order, b"no JSON", correlation_id=correlation_id)
    reply, _ = shop.take(shop.queues.order_response, with_id(correlation_id))
    assert reply.json["message"].startswith("Invalid order: ")


def test_without_anyone_to_answer_it_is_a_dead_letter_all_the_same(shop):
    for queue, dead in (
        (shop.queues.order, shop.queues.order_dead),
        (shop.queues.item, shop.queues.item_dead),
    ):
        correlation_id = new_id()
        shop.publish(queue, b"no JSON", correlation_id=correlation_id, reply_to="no.such.queue")
        letter, _ = shop.take(dead, with_id(correlation_id))
        assert letter.body == b"no JSON"


def padded(members, size):
    """An object of exactly that many bytes."""
    return members[:-1] + b" " * (size - len(members)) + b"}"


def test_65536_bytes_are_read(shop):
    order = object_of(order_id=f'"{new_id()}"', product_id=str(shop.add(1)), quantity="1")
    assert shop.order(padded(order, 65_536)).json["message"] == "Inventory updated"
    assert shop.item(padded(b'{"quantity": 1}', 65_536)).json["message"] == "Item added"


@pytest.mark.parametrize("size", [65_537, 2_000_000])
def test_larger_ones_are_not_looked_at(shop, size):
    order = padded(object_of(order_id='"x"', product_id="1", quantity="1"), size)
    reply, letter = ask_order(shop, order)
    answer = reply.json
    assert answer["message"].startswith("Invalid order: ")
    del answer["message"]
    assert answer == {"order_id": None, "success": False, "order_data": None}
    assert_dead_letter(letter, order, shop.queues.order, "too-large", reply)

    item = padded(b'{"quantity": 1}', size)
    reply, letter = ask_item(shop, item)
    assert reply.json["message"].startswith("Invalid item: ")
    assert reply.json["id"] is None and reply.json["quantity"] is None
    assert_dead_letter(letter, item, shop.queues.item, "too-large", reply)


def test_invalid_requests_between_valid_ones_change_nothing_for_them(shop):
    product = shop.add(100)
    for number in range(100):
        order = {"order_id": new_id(), "product_id": product, "quantity": 1}
        body = order if number % 2 else object_of(order_id="7")
        shop.publish(
            shop.queues.order, body, reply_to=shop.reply_to, correlation_id=f"{product} {number}"
        )
    for _ in range(100):
        reply = shop.receive()
        number = int(reply.properties.correlation_id.split()[1])
        assert reply.json["success"] is (number % 2 == 1)
    order = {"order_id": new_id(), "product_id": product, "quantity": 50}
    assert shop.order(order).json["message"] == "Inventory updated"


def test_a_dead_letter_is_persistent_and_has_no_other_property_that_the_request_had_not(shop):
    _, letter = ask_order(shop, b"no JSON")
    assert letter.properties.message_id is None
    assert letter.properties.delivery_mode == 2
    assert letter.properties.app_id is None
