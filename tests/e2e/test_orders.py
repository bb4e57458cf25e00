"""Orders: what is decided, in which words, in which order."""

import json
import random

import pytest

from client import new_id

UPDATED = "Inventory updated"
NOT_FOUND = "Product not found"
NOT_ENOUGH = "Not enough inventory"


def order(product, quantity, order_id=None, **more):
    return {
        "order_id": new_id() if order_id is None else order_id,
        "product_id": product,
        "quantity": quantity,
        **more,
    }


def assert_left(shop, product, quantity):
    """That exactly this much is left; takes it."""
    if quantity:
        assert shop.order(order(product, quantity)).json["message"] == UPDATED
    assert shop.order(order(product, 1)).json["message"] == NOT_ENOUGH


def test_enough_stock_is_lowered_by_the_quantity(shop):
    product = shop.add(10)
    request = order(product, 4)
    reply = shop.order(request)
    assert reply.json == {
        "order_id": request["order_id"],
        "success": True,
        "message": UPDATED,
        "order_data": request,
    }
    assert not reply.replayed
    assert_left(shop, product, 6)


def test_the_last_one_can_be_ordered(shop):
    assert_left(shop, shop.add(1), 1)


def test_a_product_that_does_not_exist_is_not_found(shop):
    request = order(9_007_199_254_740_991, 1)
    assert shop.order(request).json == {
        "order_id": request["order_id"],
        "success": False,
        "message": NOT_FOUND,
        "order_data": request,
    }


def test_more_than_is_left_is_rejected_and_leaves_the_stock(shop):
    product = shop.add(3)
    for quantity in (4, 9_007_199_254_740_991):
        request = order(product, quantity)
        assert shop.order(request).json == {
            "order_id": request["order_id"],
            "success": False,
            "message": NOT_ENOUGH,
            "order_data": request,
        }
    assert_left(shop, product, 3)


def test_an_item_without_stock_can_be_ordered_by_nobody(shop):
    assert_left(shop, shop.add(0), 0)


@pytest.mark.parametrize(
    "order_id",
    [
        "123",
        "0",
        "-7",
        "9007199254740991",
        "-9007199254740991",
        '"123"',
        '"x"',
        '" "',
        '"3f2a0b7e-6c1d-4f6e-9a52-0d6f0c1b2a3d"',
        '"' + 128 * "x" + '"',
        '"' + 64 * "é" + '"',
        '"😀 \\u00e9 \\" \\\\ \\n"',
    ],
)
def test_the_order_id_comes_back_in_the_type_that_it_came_in(shop, order_id):
    product = shop.add(1)
    body = '{"order_id": %s, "product_id": %d, "quantity": 1}' % (order_id, product)
    reply = shop.order(body.encode()).json
    assert reply["message"] == UPDATED
    assert reply["order_id"] == json.loads(order_id)
    assert type(reply["order_id"]) is type(json.loads(order_id))


def test_an_integer_and_the_string_of_its_digits_are_two_orders(shop):
    product = shop.add(10)
    for order_id in (123, "123"):
        reply = shop.order(order(product, 2, order_id))
        assert reply.json["message"] == UPDATED and not reply.replayed
    assert_left(shop, product, 6)


def test_one_order_id_for_two_products_is_two_orders(shop):
    order_id = new_id()
    for product in (shop.add(1), shop.add(1)):
        reply = shop.order(order(product, 1, order_id))
        assert reply.json["message"] == UPDATED and not reply.replayed


@pytest.mark.parametrize(
    "unusual",
    [
        '"customer": {"name": "Zoë", "tags": [1, null, true, {"a": []}]}',
        '"price": 12345678901234567890123',
        '"price": 1e400',
        '"price": 1E+2',
        '"price": -0',
        '"price": 1.10',
        '"price": 0.1000000000000000055511151231257827',
        '"text": "\\u0041\\/\\ud83d\\ude00"',
        '"spaced" :\t[ 1 ,\n2 ]',
        '"": ""',
        '"order": 1, "order": 2',
    ],
)
def test_order_data_is_the_request_byte_for_byte(shop, unusual):
    product = shop.add(1)
    body = '{ "order_id": "%s", %s,\r\n"product_id":%d,"quantity" : 1 }' % (
        new_id(),
        unusual,
        product,
    )
    reply = shop.order(f"\t {body}\r\n ".encode())
    assert reply.json["message"] == UPDATED
    assert reply.body.endswith(body.encode() + b"}")
    assert list(reply.json) == ["order_id", "success", "message", "order_data"]


def test_the_last_of_a_member_that_occurs_twice_counts(shop):
    product = shop.add(5)
    body = '{"order_id":"%s","product_id":%d,"quantity":99,"quantity":2}' % (new_id(), product)
    assert shop.order(body.encode()).json["message"] == UPDATED
    assert_left(shop, product, 3)


@pytest.mark.parametrize("quantity, message", [(2, UPDATED), (11, NOT_ENOUGH)])
def test_the_same_order_again_gets_the_same_answer_word_for_word(shop, quantity, message):
    product = shop.add(10)
    request = order(product, quantity)
    first = shop.order(request)
    assert first.json["message"] == message and not first.replayed
    for _ in range(2):
        again = shop.order(request)
        assert again.body == first.body
        assert again.replayed
    assert_left(shop, product, 8 if message == UPDATED else 10)


def test_a_replay_holds_the_request_at_hand(shop):
    product = shop.add(10)
    first = order(product, 2)
    shop.order(first)
    again = shop.order({**first, "attempt": 2})
    assert again.replayed
    assert again.json["message"] == UPDATED
    assert again.json["order_data"] == {**first, "attempt": 2}


def test_a_rejection_is_kept_and_a_new_order_id_asks_anew(shop):
    absent = shop.add(0) + 1
    request = order(absent, 1)
    assert shop.order(request).json["message"] == NOT_FOUND
    while shop.add(5) < absent:
        pass
    again = shop.order(request)
    assert again.replayed and again.json["message"] == NOT_FOUND
    assert shop.order(order(absent, 1)).json["message"] == UPDATED


@pytest.mark.parametrize("order_id", [123, "an order"])
def test_the_same_order_with_another_quantity_is_a_conflict(shop, order_id):
    product = shop.add(10)
    shop.order(order(product, 2, order_id))
    request = order(product, 3, order_id)
    assert shop.order(request, correlation_id=f"conflict {product}").json == {
        "order_id": order_id,
        "success": False,
        "message": f"Invalid order: order_id {order_id} was already decided for product {product}"
        " with quantity 2",
        "order_data": request,
    }
    again = shop.order(order(product, 2, order_id))
    assert again.replayed and again.json["message"] == UPDATED
    assert_left(shop, product, 8)
    # Only what cannot be processed is a dead letter, and a conflict was.
    shop.order(b"no JSON", correlation_id=f"invalid {product}")
    _, others = shop.take(
        shop.queues.order_dead, lambda m: m.properties.correlation_id == f"invalid {product}"
    )
    assert f"conflict {product}" not in [other.properties.correlation_id for other in others]


def test_lines_of_one_order_for_one_product_are_told_apart_by_line_id(shop):
    product, order_id = shop.add(10), new_id()
    request = {"order_id": order_id, "product_id": product, "quantity": 2}

    def ask(**more):
        return shop.order(request | more)

    replies = [ask(line_id=1), ask(line_id="1"), ask(line_id=2), ask(), ask(line_id=None)]
    assert [reply.replayed for reply in replies] == [False, False, False, False, True]
    assert {reply.json["message"] for reply in replies} == {UPDATED}
    assert replies[0].json["order_data"]["line_id"] == 1
    assert_left(shop, product, 2)
    again = ask(line_id=1)
    assert again.replayed and again.body == replies[0].body
    conflict = ask(line_id=1, quantity=3)
    assert conflict.json["message"] == (
        f"Invalid order: order_id {order_id}, line_id 1 was already decided for product {product} "
        "with quantity 2"
    )
    wrong = ask(line_id=[])
    assert wrong.json["message"].startswith("Invalid order: line_id must be")
    assert wrong.json["order_id"] == order_id
    assert_left(shop, product, 0)


def test_duplicates_side_by_side_are_decided_once(shop):
    product = shop.add(100)
    request = order(product, 1)
    for _ in range(50):
        shop.publish(shop.queues.order, request, reply_to=shop.reply_to)
    replies = shop.receive_all(50)
    assert len({reply.body for reply in replies}) == 1
    assert [reply.replayed for reply in replies].count(False) == 1
    assert_left(shop, product, 99)


def test_orders_for_one_product_are_decided_as_they_arrive(shop):
    """Also where a later, smaller one would fit in before an earlier one."""
    chance = random.Random(20261123)
    left = {shop.add(300): 300 for _ in range(3)}
    expected = []
    for number in range(600):
        product, quantity = chance.choice(list(left)), chance.randint(1, 4)
        shop.publish(
            shop.queues.order,
            order(product, quantity),
            reply_to=shop.reply_to,
            correlation_id=str(number),
        )
        enough = quantity <= left[product]
        left[product] -= quantity if enough else 0
        expected.append(UPDATED if enough else NOT_ENOUGH)
    replies = {r.properties.correlation_id: r.json["message"] for r in shop.receive_all(600)}
    assert [replies[str(number)] for number in range(600)] == expected
    assert NOT_ENOUGH in expected
