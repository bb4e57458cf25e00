"""What must be true when the faults are over and everything has drained."""

import collections
import dataclasses
import json

ELSEWHERE = "order, answered elsewhere"
INVALID = {  # by the queue that they came to
    "order": "no order",
    "item": "no item",
    "cancel": "no cancellation",
    "adjust": "no adjustment",
}
MESSAGES = {
    "accepted": "Inventory updated",
    "product_not_found": "Product not found",
    "not_enough_stock": "Not enough inventory",
    "cancelled_first": "Order was cancelled",
    "adjusted": "Inventory adjusted",
    "inventory_changed": "Inventory has changed",
}


@dataclasses.dataclass
class Books:
    """What the database holds."""

    stock: dict  # quantity by product
    ledger: dict  # (outcome, quantity, delta, quantity_after) by (product, identity)

    @staticmethod
    def read(database):
        entries = database.query(
            "SELECT product_id, identity, outcome, quantity, delta, quantity_after"
            " FROM inventory_ledger"
        )
        return Books(
            dict(database.query("SELECT id, quantity FROM inventory")),
            {(product, identity): tuple(rest) for product, identity, *rest in entries},
        )


def check(traffic, opening, books, dead_letters):
    """Returns figures; raises if a promise is broken.

    `opening` is the stock before the traffic; `dead_letters` holds the correlation ids of those
    that were found, by the name of their request queue among Queues.
    """
    sent, answers = traffic.sent, traffic.answers
    figures = collections.Counter(f"sent: {request.kind}" for request in sent.values())
    figures["requests"] = len(sent)
    figures["requests published again, for want of a confirm"] = traffic.republished
    figures["answers"] = sum(count for of in answers.values() for count in of.values())
    figures["answers, replays"] = sum(
        count for of in answers.values() for answer, count in of.items() if answer.replayed
    )
    decided = [request for request in sent.values() if request.order is not None]

    broken = []
    lost = sorted(
        key for key in sent.keys() - answers.keys() if sent[key].kind != ELSEWHERE
    )
    broken += [f"not answered: {sent[key]}" for key in lost]
    broken += [f"answered, and not asked: {key}" for key in answers.keys() - sent.keys()]
    differently = [key for key in sent if len({a.body for a in answers.get(key, ())}) > 1]
    broken += [f"answered differently: {sent[key]}: {answers[key]}" for key in differently]

    answered = {key: next(iter(answers[key])) for key in sent.keys() & answers.keys()}
    wrong = [
        f"{sent[key]} was answered {answer}, the ledger has {expected}"
        for key, answer in answered.items()
        if sent[key].order is not None
        and json.loads(answer.body) != (expected := _expected(sent[key], books))
    ]
    broken += wrong
    twice = _decided_twice(sent, answers)
    broken += [f"decided twice: {key}" for key in twice]
    broken += _not_dead_as_they_should(sent, dead_letters)
    broken += _disagreements(decided, books, opening)
    broken += _wrong_items(sent, answered, books, opening)

    figures["= requests lost"] = len(lost)
    figures["= decided twice"] = len(twice)
    figures["= answered differently"] = len(differently) + len(wrong)
    assert not broken, f"{len(broken)} promises are broken, these among them:\n" + "\n".join(
        broken[:20]
    )
    return figures


def _expected(request, books):
    """The answer to a valid request that follows from the ledger."""
    return {"order": _expected_order, "cancel": _expected_cancellation,
            "adjust": _expected_adjustment}[request.queue](request, books)  # fmt: skip


def _expected_order(request, books):
    order = request.order
    entries = [books.ledger.get(key) for key in request.keys]
    if None in entries:
        return None
    reply = {"order_id": order["order_id"], "success": False, "order_data": order}
    outcomes = [outcome for outcome, *_ in entries]
    if "items" not in order:
        [(outcome, decided, _, _)] = entries
        if decided != order["quantity"] and outcome != "cancelled_first":
            return reply | {
                "message": f"Invalid order: order_id {order['order_id']} was already decided for "
                f"product {order['product_id']} with quantity {decided}"
            }
        return reply | {"success": outcome == "accepted", "message": MESSAGES[outcome]}
    for outcome in ("cancelled_first", "product_not_found", "not_enough_stock"):
        if outcome in outcomes:
            in_the_way = [
                {"product_id": product, "available": after}
                for (product, _), (found, _, _, after) in zip(request.keys, entries)
                if found not in ("accepted", "other_item")
            ]
            return reply | {"message": MESSAGES[outcome], "items": in_the_way}
    return reply | {"success": set(outcomes) == {"accepted"}, "message": MESSAGES["accepted"]}


def _expected_cancellation(request, books):
    given_back = []
    for product, identity in request.keys:
        entry = books.ledger.get((product, identity), books.ledger.get((product, identity[1:])))
        if entry is None or entry[0] not in ("cancelled", "cancelled_first"):
            return None
        given_back.append({"product_id": product, "quantity": entry[2]})
    return {
        "order_id": request.order["order_id"],
        "success": True,
        "message": "Order cancelled",
        "order_data": request.order,
        "items": given_back,
    }


def _expected_adjustment(request, books):
    [key] = request.keys
    if key not in books.ledger:
        return None
    outcome, _, _, after = books.ledger[key]
    return {
        "adjustment_id": request.order["adjustment_id"],
        "success": outcome == "adjusted",
        "message": MESSAGES[outcome],
        "product_id": request.order["product_id"],
        "quantity": after,
    }


def _decided_twice(sent, answers):
    """Identities of which more than one request was told a decision as a new one."""
    told = collections.defaultdict(set)
    for key, of in answers.items():
        request = sent.get(key)
        if request is None or request.kind in INVALID.values():
            continue
        for answer in of:
            if not answer.replayed and b"already decided" not in answer.body:
                told[request.message_id or tuple(sorted(request.keys))].add(key)
    return [identity for identity, keys in told.items() if len(keys) > 1]


def _not_dead_as_they_should(sent, dead_letters):
    for queue, kind in INVALID.items():
        found = dead_letters[queue]
        wanted = {key for key, request in sent.items() if request.kind == kind}
        yield from (f"no dead letter: {sent[key]}" for key in wanted - found)
        yield from (f"a dead letter, but valid: {sent.get(key, key)}" for key in found - wanted)


def _disagreements(asked, books, opening):
    deltas = collections.Counter()
    for (product, _), (_, _, delta, _) in books.ledger.items():
        deltas[product] += delta
    for product, quantity in books.stock.items():
        if quantity < 0 or quantity != deltas[product]:
            yield f"product {product}: {quantity} on hand, the ledger says {deltas[product]}"
    decided = {key: entry for key, entry in books.ledger.items() if entry[0] != "opening"}
    keys = {key for request in asked for key in request.keys}
    # A cancellation that came first has the order's identity, and its own if it came later.
    may_be = keys | {(product, identity[1:]) for product, identity in keys if identity[0] == "c"}
    yield from (f"decided, and never asked: {key}" for key in decided.keys() - may_be)
    yield from (
        f"asked, and not decided: {(product, identity)}"
        for product, identity in keys - decided.keys()
        if identity[0] != "c" or decided.get((product, identity[1:]), [""])[0] != "cancelled_first"
    )
    changed = collections.Counter()
    for (product, identity), (outcome, quantity, delta, _) in decided.items():
        if outcome == "accepted":
            changed[product] -= quantity
        elif outcome == "cancelled":
            of = decided[(product, identity[1:])]
            owed = of[1] if of[0] == "accepted" else 0
            if delta != owed:
                yield f"product {product}, {identity}: {delta} came back of {owed}"
            changed[product] += delta
        elif outcome == "adjusted":
            changed[product] += delta
    for product, quantity in opening.items():
        if quantity + changed[product] != books.stock.get(product):
            yield f"product {product}: {quantity} at first, {changed[product]:+} since, " + (
                f"{books.stock.get(product)} on hand"
            )


def _wrong_items(sent, answered, books, opening):
    """Each request for an item, however often it came, has added one."""
    ids = collections.defaultdict(set)
    for key, answer in answered.items():
        request = sent[key]
        if not request.kind.startswith("item"):
            continue
        reply, item = json.loads(answer.body), json.loads(request.body)
        ids[request.message_id].add(reply["id"])
        if not reply["success"] or reply["quantity"] != books.stock.get(reply["id"]):
            yield f"{request} was answered {reply}"
        if reply["description"] != item["description"]:
            yield f"{request} was answered {reply}"
    yield from (f"item request {key} added {of}" for key, of in ids.items() if len(of) > 1)
    added = books.stock.keys() - opening.keys()
    if added != {each for of in ids.values() for each in of}:
        yield f"{len(added)} items were added, {len(ids)} were asked for"
