"""Orders of several items, cancellations, adjustments: what is decided, in which words."""

import pytest

from client import new_id
from service import Service

MAX = 9_007_199_254_740_991


def basket(*items, order_id=None, **more):
    return {
        "order_id": order_id or new_id(),
        "items": [{"product_id": product, "quantity": quantity} for product, quantity in items],
        **more,
    }


def cancel(shop, request, **properties):
    return shop.call(shop.queues.cancel, request, **properties)


def adjust(shop, request, **properties):
    return shop.call(shop.queues.adjust, request, **properties)


def stock(shop, product):
    """What there is: an adjustment that expects what cannot be tells, and changes nothing."""
    request = {"adjustment_id": new_id(), "product_id": product, "set_to": 0, "expected": MAX}
    return adjust(shop, request).json["quantity"]


def answer(shop, request, success, message, **more):
    reply = shop.order(request)
    assert reply.json == {
        "order_id": request["order_id"],
        "success": success,
        "message": message,
        "order_data": request,
        **more,
    }
    return reply


def test_an_order_of_several_items_takes_all_or_nothing(shop):
    shirt, sock = shop.add(10), shop.add(1)
    answer(shop, basket((shirt, 2), (sock, 1)), True, "Inventory updated")
    assert (stock(shop, shirt), stock(shop, sock)) == (8, 0)
    rejected = basket((shirt, 2), (sock, 1))
    why = [{"product_id": sock, "available": 0}]
    answer(shop, rejected, False, "Not enough inventory", items=why)
    assert stock(shop, shirt) == 8
    adjust(shop, {"adjustment_id": new_id(), "product_id": sock, "change": 50})
    assert answer(shop, rejected, False, "Not enough inventory", items=why).replayed
    unknown = [{"product_id": MAX, "available": None}]
    answer(shop, basket((shirt, 1), (MAX, 1)), False, "Product not found", items=unknown)


def test_an_order_of_several_items_that_meets_another_is_a_conflict(shop):
    shirt, sock = shop.add(10), shop.add(10)
    first = basket((shirt, 2))
    answer(shop, first, True, "Inventory updated")
    name = f"Invalid order: order_id {first['order_id']} was already decided for"
    more = basket((shirt, 2), (sock, 1), order_id=first["order_id"])
    answer(shop, more, False, f"{name} other items")
    other = basket((shirt, 3), order_id=first["order_id"])
    answer(shop, other, False, f"{name} product {shirt} with quantity 2")
    assert (stock(shop, shirt), stock(shop, sock)) == (8, 10)


def test_an_item_that_was_rejected_for_another_is_told_so_alone(shop):
    shirt, sock = shop.add(10), shop.add(0)
    order = basket((shirt, 2), (sock, 1))
    shop.order(order)
    alone = {"order_id": order["order_id"], "product_id": shirt, "quantity": 2}
    answer(shop, alone, False, "Another item of the order was not available")


@pytest.mark.parametrize(
    "items", [[], {}, "x", [1], [{"product_id": 1}], [{"product_id": 1, "quantity": 1}] * 101]
)
def test_items_that_are_none_are_dead_lettered(shop, items):
    reply = shop.order({"order_id": new_id(), "items": items})
    assert reply.json["message"].startswith("Invalid order: items")
    letter, _ = shop.take(shop.queues.order_dead)
    assert letter.headers["error-reason"] == "invalid"


def test_a_cancellation_gives_back_once(shop):
    shirt, sock = shop.add(10), shop.add(10)
    order = basket((shirt, 2), (sock, 1))
    shop.order(order)
    first = cancel(shop, order)
    assert first.json == {
        "order_id": order["order_id"],
        "success": True,
        "message": "Order cancelled",
        "order_data": order,
        "items": order["items"],
    }
    again = cancel(shop, order)
    assert again.body == first.body and again.replayed and not first.replayed
    assert (stock(shop, shirt), stock(shop, sock)) == (10, 10)
    assert answer(shop, order, True, "Inventory updated").replayed
    assert stock(shop, shirt) == 10


def test_an_order_that_comes_after_its_cancellation_is_not_taken(shop):
    shirt = shop.add(10)
    order = {"order_id": new_id(), "product_id": shirt, "quantity": 2}
    reply = cancel(shop, {"order_id": order["order_id"], "product_id": shirt})
    assert reply.json["items"] == [{"product_id": shirt, "quantity": 0}]
    answer(shop, order, False, "Order was cancelled")
    assert stock(shop, shirt) == 10


def test_a_cancellation_with_another_quantity_does_nothing(shop):
    shirt = shop.add(10)
    order = {"order_id": new_id(), "product_id": shirt, "quantity": 2}
    shop.order(order)
    reply = cancel(shop, order | {"quantity": 3})
    assert reply.json["message"] == (
        f"Invalid cancellation: order_id {order['order_id']} was decided for product {shirt} "
        "with quantity 2"
    )
    assert stock(shop, shirt) == 8


def test_an_adjustment_says_what_there_is_afterwards(shop):
    shirt = shop.add(10)
    request = {"adjustment_id": 7, "product_id": shirt, "change": 5, "reason": "a delivery"}
    assert adjust(shop, request).json == {
        "adjustment_id": 7,
        "success": True,
        "message": "Inventory adjusted",
        "product_id": shirt,
        "quantity": 15,
    }
    assert adjust(shop, request | {"reason": None}).replayed
    other = adjust(shop, request | {"change": 6}).json
    assert other["message"] == (
        f"Invalid adjustment: adjustment_id 7 was already decided for product {shirt} "
        "with another change"
    )

    def message(**what):
        return adjust(shop, {"adjustment_id": new_id(), "product_id": shirt, **what}).json

    assert message(change=-16)["message"] == "Not enough inventory"
    assert message(set_to=3, expected=14)["message"] == "Inventory has changed"
    assert message(set_to=3, expected=15)["quantity"] == 3
    assert message(product_id=MAX, set_to=3)["message"] == "Product not found"


def test_an_adjustment_beyond_what_can_be_kept_is_dead_lettered(shop):
    shirt = shop.add(10)
    request = {"adjustment_id": new_id(), "product_id": shirt, "change": MAX}
    assert adjust(shop, request).json["message"].startswith("Invalid adjustment: the stock")
    letter, _ = shop.take(f"{shop.queues.adjust}.dlq")
    assert letter.json == request and letter.headers["error-reason"] == "invalid"
    assert stock(shop, shirt) == 10


def test_an_item_may_choose_its_id(shop):
    first = shop.add(1)
    chosen = {"quantity": 2, "product_id": first + 100, "low_stock": 1}
    assert shop.item(chosen, message_id=new_id()).json["id"] == first + 100
    assert shop.add(1) > first + 100
    name = new_id()
    for _ in range(2):
        taken = shop.item(chosen, message_id=name)
        assert (taken.json["success"], taken.json["id"]) == (False, None)
        assert taken.json["message"] == "Product already exists"
    assert taken.replayed


def test_two_lines_without_line_id_are_counted_and_logged(broker, database, queues, client):
    name = "inventory_orders_repeated_with_another_message_id_total"
    with Service(broker.url, database.url, queues) as service:
        shirt = client.add(10)
        order = {"order_id": new_id(), "product_id": shirt, "quantity": 2}
        client.order(order, message_id="line 1")
        assert client.order(order, message_id="line 1").replayed
        assert service.metrics()[f'{name}{{queue="{queues.order}"}}'] == 0
        assert client.order(order, message_id="line 2").replayed
        service.wait_for_log("needs a line_id")
        assert service.metrics()[f'{name}{{queue="{queues.order}"}}'] == 1
        lines = order | {"line_id": 1}
        client.order(lines, message_id="line 3")
        client.order(lines, message_id="line 4")
        assert service.metrics()[f'{name}{{queue="{queues.order}"}}'] == 1
        assert stock(client, shirt) == 6
