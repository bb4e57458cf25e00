"""What must be true when the faults are over and all queues have drained."""

import collections
import dataclasses
import datetime
import json

from traffic import identity_of

EPOCH = datetime.datetime.fromtimestamp(0, datetime.timezone.utc)
ELSEWHERE = "order, answered elsewhere"
INVALID = {  # by queue
    "order": "no order",
    "item": "no item",
    "cancel": "no cancellation",
    "confirm": "no confirmation",
    "expiry": "no expiry",
    "adjust": "no adjustment",
}
MESSAGES = {
    "accepted": "Inventory updated",
    "product_not_found": "Product not found",
    "not_enough_stock": "Not enough inventory",
    "cancelled_first": "Order was cancelled",
    "adjusted": "Inventory adjusted",
    "inventory_changed": "Inventory has changed",
    "held": "Inventory updated",
    "confirmed": "Order confirmed",
    "hold_expired": "Hold expired",
    "order_cancelled": "Order was cancelled",
    "order_rejected": "Order was rejected",
}
TAKEN = ("accepted", "held")
UNKEPT = b'"message":"Order not found"'  # repeated after its order, it is confirmed


@dataclasses.dataclass
class Books:
    """The contents of the database."""

    stock: dict  # quantity by product
    ledger: dict  # (outcome, quantity, delta, quantity_after) by (product, identity)
    terms: dict  # by the same, for entries that have terms
    states: dict  # (quantity, version, level) by product
    history: dict  # quantity by (product, version)

    @staticmethod
    def read(database):
        entries = database.query(
            "SELECT product_id, identity, outcome, quantity, delta, quantity_after, version, terms"
            " FROM inventory_ledger"
        )
        items = database.query("SELECT id, quantity, version, low_stock FROM inventory")
        return Books(
            {product: quantity for product, quantity, *_ in items},
            {(product, identity): tuple(rest) for product, identity, *rest, _, _ in entries},
            {(product, identity): terms for product, identity, *_, terms in entries if terms},
            {
                product: (quantity, version, _level(quantity, low_stock))
                for product, quantity, version, low_stock in items
            },
            {(product, version): after for product, *_, after, version, _ in entries},
        )


def _level(quantity, low_stock):
    if quantity == 0:
        return "out"
    return "low" if low_stock is not None and quantity <= low_stock else "in"


def check(traffic, opening, books, dead_letters, listener=None):
    """Returns figures; raises if a promise is broken.

    `opening` is the stock before the traffic. `dead_letters` has the correlation ids of the dead
    letters found, by the name of their request queue in Queues. `listener` has heard all events,
    if there were any.
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
    differently = [
        key
        for key in sent
        if len({a.body for a in answers.get(key, ()) if UNKEPT not in a.body}) > 1
    ]
    broken += [f"answered differently: {sent[key]}: {answers[key]}" for key in differently]

    answered = {
        key: min(answers[key], key=lambda answer: UNKEPT in answer.body)
        for key in sent.keys() & answers.keys()
    }
    wrong = [
        f"{sent[key]} was answered {answer}, the ledger has {expected}"
        for key, answer in answered.items()
        if sent[key].order is not None
        and UNKEPT not in answer.body
        and json.loads(answer.body) != (expected := _expected(sent[key], books))
    ]
    broken += wrong
    twice = _decided_twice(sent, answers)
    broken += [f"decided twice: {key}" for key in twice]
    broken += _not_dead_as_they_should(sent, dead_letters)
    broken += _disagreements(decided, books, opening)
    broken += _wrong_items(sent, answered, books, opening)
    if listener:
        untold = list(wrongly_told(listener, books))
        broken += untold
        figures.update(listener.figures)
        figures["= not told, or wrongly"] = len(untold)

    ends = collections.Counter(outcome for outcome, *_ in books.ledger.values())
    for name, outcome in (("held", "held"), ("confirmed", "confirmed"), ("given back", "expired")):
        figures[f"holds: {name}"] = ends[outcome]

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
            "confirm": _expected_confirmation,
            "adjust": _expected_adjustment}[request.queue](request, books)  # fmt: skip


def _expected_order(request, books):
    order = request.order
    entries = [books.ledger.get(key) for key in request.keys]
    if None in entries:
        return None
    reply = {"order_id": order["order_id"], "success": False, "order_data": order}
    if "hold_seconds" in order:
        reply["held_until"] = None
    outcomes = [outcome for outcome, *_ in entries]
    hold, until = _hold(books, request.keys[0])
    for (outcome, decided, _, _), (product, quantity) in zip(entries, request.items):
        if outcome == "cancelled_first":
            continue
        other = f"with hold_seconds {hold}" if hold else "without hold_seconds"
        if decided != quantity:
            other = f"with quantity {decided}"
        elif hold == order.get("hold_seconds"):
            continue
        return reply | {
            "message": f"Invalid order: order_id {order['order_id']} was already decided for "
            f"product {product} {other}"
        }
    if until and set(outcomes) == {"held"}:
        reply["held_until"] = until
    if "items" not in order:
        return reply | {"success": outcomes[0] in TAKEN, "message": MESSAGES[outcomes[0]]}
    for outcome in ("cancelled_first", "product_not_found", "not_enough_stock"):
        if outcome in outcomes:
            in_the_way = [
                {"product_id": product, "available": after}
                for (product, _), (found, _, _, after) in zip(request.keys, entries)
                if found not in (*TAKEN, "other_item")
            ]
            return reply | {"message": MESSAGES[outcome], "items": in_the_way}
    return reply | {"success": outcomes[0] in TAKEN, "message": MESSAGES["accepted"]}


def _hold(books, key):
    """The hold time that an order asked for, and the end of its hold as a reply writes it."""
    words = books.terms.get(key, "").split()  # hold 2 until 1796040000000000
    if not words:
        return None, None
    until = None
    if len(words) > 2:
        at = EPOCH + datetime.timedelta(microseconds=int(words[3]))
        until = at.isoformat(timespec="microseconds")
    return int(words[1]), until


def _expected_confirmation(request, books):
    entries = [books.ledger.get(key) for key in request.keys]
    if None in entries:
        return None
    outcomes = {outcome for outcome, *_ in entries}
    if len(outcomes) > 1:
        return f"one of {outcomes}"
    [outcome] = outcomes
    return {
        "order_id": request.order["order_id"],
        "success": outcome == "confirmed",
        "message": MESSAGES[outcome],
        "order_data": request.order,
    }



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
    """Identities for which more than one request got a decision that was not marked as replayed."""
    told = collections.defaultdict(set)
    for key, of in answers.items():
        request = sent.get(key)
        if request is None or request.kind in INVALID.values():
            continue
        for answer in of:
            if answer.replayed or UNKEPT in answer.body or b"already decided" in answer.body:
                continue
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
    # A cancellation that came before its order has the order's identity, otherwise its own.
    may_be = keys | {(product, identity[1:]) for product, identity in keys if identity[0] == "c"}
    may_be |= {(product, "x" + identity) for product, identity in keys}
    yield from (f"decided, and never asked: {key}" for key in decided.keys() - may_be)
    yield from (
        f"asked, and not decided: {(product, identity)}"
        for product, identity in keys - decided.keys()
        if identity[0] != "f"  # not kept if its order was not found; the answers are compared
        and (
            identity[0] != "c"
            or decided.get((product, identity[1:]), [""])[0] != "cancelled_first"
        )
    )
    yield from _wrong_holds(decided)
    changed = collections.Counter()
    for (product, identity), (outcome, quantity, delta, _) in decided.items():
        if outcome in TAKEN:
            changed[product] -= quantity
        elif outcome == "cancelled":
            of = decided[(product, identity[1:])]
            is_owed = of[0] in TAKEN and (product, "x" + identity[1:]) not in decided
            owed = of[1] if is_owed else 0
            if delta != owed:
                yield f"product {product}, {identity}: {delta} came back of {owed}"
            changed[product] += delta
        elif outcome in ("adjusted", "expired"):
            changed[product] += delta
    for product, quantity in opening.items():
        if quantity + changed[product] != books.stock.get(product):
            yield f"product {product}: {quantity} at first, {changed[product]:+} since, " + (
                f"{books.stock.get(product)} on hand"
            )


def _wrong_holds(decided):
    """All holds were short, so each has ended once: it was confirmed or given back."""
    for (product, identity), (outcome, quantity, _, _) in decided.items():
        if outcome == "expired":
            of = decided.get((product, identity[1:]), [""])
            if of[0] != "held":
                yield f"product {product}, {identity}: expired, and was not held: {of}"
        if outcome != "held":
            continue
        is_confirmed = decided.get((product, "f" + identity), [""])[0] == "confirmed"
        back = [decided.get((product, ending + identity), (0, 0, 0))[2] for ending in "cx"]
        was_expired = (product, "x" + identity) in decided
        if is_confirmed and was_expired:
            yield f"product {product}, {identity}: confirmed, and given back after its time"
        if not is_confirmed and sum(back) != quantity:
            yield f"product {product}, {identity}: held {quantity}, and {back} came back"


def _wrong_items(sent, answered, books, opening):
    """Each request for an item has added one, however often it came."""
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


def wrongly_told(listener, books):
    """Where a listener's cache differs from the database."""
    cache = listener.cache
    for product, state in books.states.items():
        told = cache.newest.get(product)
        known = told and (told["quantity"], told["version"], told["level"])
        agrees = known == state if listener.events == "all" else known and known[2] == state[2]
        if not agrees:
            yield f"product {product}: {state} (quantity, version, level), and {known} was told"
    for product, told in cache.newest.items():
        was = books.history.get((product, told["version"]))
        if was != told["quantity"]:
            yield f"product {product}: {told} was told, the ledger has {was}"
    expired = {
        (product, identity[1:], quantity)
        for (product, identity), (outcome, quantity, *_) in books.ledger.items()
        if outcome == "expired"
    }
    told = {
        (data["product_id"], identity_of(data["order_id"]), data["quantity"])
        for data in cache.expired
    }
    yield from (f"expired, and not told: {hold}" for hold in expired - told)
    yield from (f"told, and not expired: {hold}" for hold in told - expired)
    added = {product: books.ledger[(product, "opening")][1] for product in books.stock}
    told = {product: data["quantity"] for product, data in cache.added.items()}
    yield from (f"added, and not told: {item}" for item in added.items() - told.items())
    yield from (f"told, and not added: {item}" for item in told.items() - added.items())
