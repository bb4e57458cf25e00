"""What must be true when the faults are over and everything has drained."""

import collections
import dataclasses
import json

ELSEWHERE = "order, answered elsewhere"
VALID = (
    "order", "order again, at once", "order again, later", "order with another quantity", ELSEWHERE,
)  # fmt: skip
MESSAGES = {
    "accepted": "Inventory updated",
    "product_not_found": "Product not found",
    "not_enough_stock": "Not enough inventory",
}


@dataclasses.dataclass
class Books:
    """What the database holds."""

    stock: dict  # quantity by product
    ledger: dict  # (outcome, quantity, delta) by (product, identity)

    @staticmethod
    def read(database):
        entries = database.query(
            "SELECT product_id, identity, outcome, quantity, delta FROM inventory_ledger"
        )
        return Books(
            dict(database.query("SELECT id, quantity FROM inventory")),
            {(product, identity): tuple(rest) for product, identity, *rest in entries},
        )


def check(traffic, opening, books, dead_letters):
    """Returns figures; raises if a promise is broken.

    `opening` is the stock before the traffic; `dead_letters` holds the correlation ids of those
    that were found, for orders and for items.
    """
    sent, answers = traffic.sent, traffic.answers
    figures = collections.Counter(f"sent: {request.kind}" for request in sent.values())
    figures["requests"] = len(sent)
    figures["requests published again, for want of a confirm"] = traffic.republished
    figures["answers"] = sum(count for of in answers.values() for count in of.values())
    figures["answers, replays"] = sum(
        count for of in answers.values() for answer, count in of.items() if answer.replayed
    )
    orders = [request for request in sent.values() if request.kind in VALID]

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
        if sent[key].kind in VALID
        and json.loads(answer.body) != (expected := _expected(sent[key], books))
    ]
    broken += wrong
    twice = _decided_twice(sent, answers)
    broken += [f"decided twice: {key}" for key in twice]
    broken += _not_dead_as_they_should(sent, dead_letters)
    broken += _disagreements(orders, books, opening)
    broken += _wrong_items(sent, answered, books, opening)

    figures["= requests lost"] = len(lost)
    figures["= decided twice"] = len(twice)
    figures["= answered differently"] = len(differently) + len(wrong)
    assert not broken, f"{len(broken)} promises are broken, these among them:\n" + "\n".join(
        broken[:20]
    )
    return figures


def _expected(request, books):
    """The answer to a valid order that follows from the ledger."""
    order, entry = request.order, books.ledger.get(request.identity)
    if entry is None:
        return None
    outcome, decided_quantity, _ = entry
    if decided_quantity == order["quantity"]:
        message = MESSAGES[outcome]
    else:
        outcome = "conflict"
        message = (
            f"Invalid order: order_id {order['order_id']} was already decided for product "
            f"{order['product_id']} with quantity {decided_quantity}"
        )
    return {
        "order_id": order["order_id"],
        "success": outcome == "accepted",
        "message": message,
        "order_data": order,
    }


def _decided_twice(sent, answers):
    """Identities of which more than one request was told a decision as a new one."""
    told = collections.defaultdict(set)
    for key, of in answers.items():
        request = sent.get(key)
        if request is None or not (request.kind in VALID or request.kind.startswith("item")):
            continue
        for answer in of:
            if not answer.replayed and b"already decided" not in answer.body:
                told[request.message_id or request.identity].add(key)
    return [identity for identity, keys in told.items() if len(keys) > 1]


def _not_dead_as_they_should(sent, dead_letters):
    for kind, found in zip(("no order", "no item"), dead_letters):
        wanted = {key for key, request in sent.items() if request.kind == kind}
        yield from (f"no dead letter: {sent[key]}" for key in wanted - found)
        yield from (f"a dead letter, but valid: {sent.get(key, key)}" for key in found - wanted)


def _disagreements(orders, books, opening):
    deltas = collections.Counter()
    for (product, _), (_, _, delta) in books.ledger.items():
        deltas[product] += delta
    for product, quantity in books.stock.items():
        if quantity < 0 or quantity != deltas[product]:
            yield f"product {product}: {quantity} on hand, the ledger says {deltas[product]}"
    decided = {key: entry for key, entry in books.ledger.items() if entry[0] != "opening"}
    asked = {request.identity for request in orders}
    yield from (f"decided, and never asked: {key}" for key in decided.keys() - asked)
    yield from (f"asked, and not decided: {key}" for key in asked - decided.keys())
    accepted = collections.Counter()
    for (product, _), (outcome, quantity, _) in decided.items():
        if outcome == "accepted":
            accepted[product] += quantity
    for product, quantity in opening.items():
        if quantity - accepted[product] != books.stock.get(product):
            yield f"product {product}: {quantity} at first, {accepted[product]} went out, " + (
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
