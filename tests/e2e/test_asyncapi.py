"""docs/asyncapi.yaml is valid, its examples are what happens, and it says neither more nor less."""

import datetime
import json
import os
import pathlib
import subprocess
import tomllib

import jsonschema
import pytest
import yaml

from client import Client, new_id, with_id
from service import Queues, Service, run
from waiting import wait_for

ROOT = pathlib.Path(__file__).resolve().parents[2]
DOCUMENT_FILE = ROOT / "docs/asyncapi.yaml"
DOCUMENT = yaml.safe_load(DOCUMENT_FILE.read_text())
MESSAGES = DOCUMENT["components"]["messages"]
# In the order of their examples.
KINDS = ["item", "order", "cancellation", "confirmation", "adjustment"]
EVENTS = ["stockEvent", "expiredHold", "addedItem"]
PARSER = "@asyncapi/parser@3.6.6"
VALIDATE = """
const {Parser} = require("@asyncapi/parser");
new Parser().validate(require("fs").readFileSync(process.argv[1], "utf8"))
  .then((found) => console.log(JSON.stringify(found)));
"""


def validator(schema):
    """For a schema of components; its references point into the document."""
    pointer = {"$ref": f"#/components/schemas/{schema}"}
    resolver = jsonschema.RefResolver("", DOCUMENT)
    return jsonschema.Draft7Validator(pointer, resolver=resolver)


def fits(value, schema):
    return validator(schema).is_valid(value)


def examples(message):
    return {example["name"]: example for example in MESSAGES[message]["examples"]}


def test_the_document_is_valid_asyncapi(folder):
    """To the parser of the AsyncAPI Initiative; its severity 0 is an error, 1 a warning."""
    place = folder / "npm"
    place.mkdir()
    cache = {"npm_config_cache": str(place / "cache"), "npm_config_update_notifier": "false"}

    def succeed(*command):
        done = subprocess.run(
            command, cwd=place, capture_output=True, text=True, timeout=300, env=os.environ | cache
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    succeed("npm", "install", "--no-audit", "--no-fund", PARSER)
    found = json.loads(succeed("node", "-e", VALIDATE, DOCUMENT_FILE))
    assert [one for one in found if one["severity"] <= 1] == []
    assert succeed("node", "-e", VALIDATE, "/dev/null") != "[]", "it finds nothing in nothing"


def test_its_schemas_are_valid_json_schemas():
    for schema in DOCUMENT["components"]["schemas"].values():
        jsonschema.Draft7Validator.check_schema(schema)


def queue_of(kind, queues):
    return {
        "item": queues.item,
        "order": queues.order,
        "cancellation": queues.cancel,
        "confirmation": queues.confirm,
        "adjustment": queues.adjust,
    }[kind]


PAYLOADS = [
    *(kind + reply for kind in KINDS for reply in ("", "Reply")),
    "expiry",
    *EVENTS,
]


@pytest.mark.parametrize("message", PAYLOADS)
def test_its_examples_fit_its_schemas(message):
    for name, example in examples(message).items():
        assert fits(example["payload"], message), name


def test_its_queues_are_the_programs_own():
    printed = tomllib.loads(run("--print-config").stdout)
    queues = Queues()
    named = {setting: name for setting, name in printed.items() if setting.endswith("-queue")}
    assert named == queues.settings()
    keys = {"stock.{level}", "hold.expired", "item.added"}
    addresses = {channel["address"] for channel in DOCUMENT["channels"].values()} - keys
    requests = set(queues.requests.values())
    replies = {queues.order_response, queues.item_response}
    named_after = requests - {queues.order, queues.item, queues.expiry}
    replies |= {f"{queue}_response" for queue in named_after}
    assert addresses == requests | replies | {f"{queue}.dlq" for queue in requests}
    version = run("--version").stdout.split()[-1]
    assert DOCUMENT["info"]["version"] == version


def now():
    return datetime.datetime.now(datetime.timezone.utc)


def test_its_examples_are_what_happens(broker, database, queues):
    """In their order, on an empty database: the first item has the id 1."""
    held_until = {}  # by order
    with Service(broker.url, database.url, queues), Client(broker.url, queues) as client:
        for kind in KINDS:
            replies = examples(f"{kind}Reply")
            assert list(replies) == list(examples(kind))
            for name, request in examples(kind).items():
                if name == "its-hold-is-over":
                    until = held_until[request["payload"]["order_id"]]
                    wait_for(lambda until=until: now() > until, "the hold is over")
                reply = client.call(queue_of(kind, queues), request["payload"])
                body = reply.json
                if body.get("held_until"):
                    until = datetime.datetime.fromisoformat(body["held_until"])
                    held_until[body["order_id"]] = until
                for time in ("created_at", "held_until"):
                    if body.get(time):
                        body[time] = replies[name]["payload"][time]
                assert body == replies[name]["payload"], name
                assert reply.headers == replies[name].get("headers", {}), name


def test_its_events_are_what_is_told(broker, database, queues):
    exchange = f"{queues.order}.events"
    with Client(broker.url, queues) as client:
        client.channel.exchange_declare(exchange, "topic", durable=True)
        for name, key in (("stock", "stock.*"), ("hold", "hold.expired"), ("item", "item.added")):
            queue = client.channel.queue_declare(f"{exchange}.{name}", exclusive=True).method.queue
            client.channel.queue_bind(queue, exchange, key)
        with Service(broker.url, database.url, queues, [f"--events-exchange={exchange}"]):
            product = client.item({"quantity": 2, "description": "Blue T-shirt"}).json["id"]
            order = {"order_id": "A-17", "product_id": product, "quantity": 2, "hold_seconds": 1}
            assert client.order(order).json["success"]
            held = f"{exchange}.hold"
            wait_for(lambda: client.count(held) == 1, "the hold is over")
        for name, message in zip(("stock", "hold", "item"), EVENTS):
            told, _ = client.take(f"{exchange}.{name}")
            validator(message).validate(told.json)
            assert told.properties.content_type == MESSAGES[message]["contentType"]


ITEMS = [{"product_id": 1, "quantity": 1}]
NUMBERS = [0, 1, -1, 2**53 - 1, 2**53, -(2**53) + 1, -(2**53), 2**64, 1.5]
STRINGS = ["", "1", "é", "a\0b", "x" * 128, "x" * 129, "x" * 10_000, "x" * 10_001]
LISTS = [[], ITEMS, ITEMS * 100, ITEMS * 101, [{}], [{"product_id": 1}], [1]]
VALUES = [*NUMBERS, *STRINGS, None, True, *LISTS, {}]


def variants(kind, make):
    """Requests that differ from a valid one in one member, or lack it, or have one more."""
    yield make() | {"more": {"of": ["anything", None]}}
    for member in DOCUMENT["components"]["schemas"][kind]["properties"]:
        yield {name: value for name, value in make().items() if name != member}
        for value in VALUES:
            yield make() | {member: value}


def valid(kind, product):
    """Makes requests of a kind, each another one."""
    return {
        "item": lambda: {"quantity": 1, "description": "Blue T-shirt, size M"},
        "order": lambda: {"order_id": new_id(), "product_id": product, "quantity": 1},
        "basket": lambda: {"order_id": new_id(), "items": ITEMS},
        "hold": lambda: valid("order", product)() | {"hold_seconds": 60},
        "cancellation": lambda: {"order_id": new_id(), "product_id": product},
        "confirmation": lambda: {"order_id": new_id(), "product_id": product},
        "expiry": lambda: {"product_id": product, "identity": f"s{new_id()}"},
        "adjustment": lambda: {"adjustment_id": new_id(), "product_id": product, "change": 1},
        "count": lambda: {"adjustment_id": new_id(), "product_id": product, "set_to": 1},
    }[kind]


# Of a kind, beside the one of its name.
FORMS = {"basket": "order", "hold": "order", "count": "adjustment"}


@pytest.mark.parametrize("form", [*KINDS, *FORMS])
def test_a_request_is_valid_to_the_service_if_it_is_to_the_document(shop, form):
    """As far as JSON Schema can tell: 2.0 is an integer to it, and lengths are in characters."""
    kind = FORMS.get(form, form)
    queue = queue_of(kind, shop.queues)
    make = valid(form, shop.add(10))
    seen = set()
    for request in variants(kind, make):
        reply = shop.call(queue, request)
        message = reply.json["message"]
        # With the stock that there is, more would be more than can be kept.
        is_valid = not message.startswith("Invalid ") or "would be more than" in message
        assert is_valid == fits(request, kind), (request, reply.json)
        validator(f"{kind}Reply").validate(reply.json)
        validator("replyHeaders").validate(reply.headers)
        assert reply.properties.content_type == DOCUMENT["defaultContentType"]
        seen.add(is_valid)
    assert seen == {True, False}


def test_what_is_no_request_for_an_expiry_is_dead_lettered(shop):
    """Nobody is answered: what is no dead letter was valid."""
    queue = shop.queues.expiry
    requests = list(variants("expiry", valid("expiry", shop.add(10))))
    invalid = {str(at) for at, request in enumerate(requests) if not fits(request, "expiry")}
    assert 0 < len(invalid) < len(requests)
    for at, request in enumerate(requests):
        shop.publish(queue, request, message_id=str(at))
    shop.publish(queue, b"the last", message_id="last")
    letters = {}

    def is_complete(letter):
        letters[letter.properties.message_id] = letter
        return letters.keys() >= invalid | {"last"}

    shop.take(f"{queue}.dlq", is_complete)
    assert letters.keys() == invalid | {"last"}
    for letter in letters.values():
        validator("deadLetterHeaders").validate(letter.headers)


@pytest.mark.parametrize("body", [b"no JSON", b"[]", b"x" * 65_537])
def test_what_is_no_object_gets_a_reply_and_a_dead_letter_as_documented(shop, body):
    for kind in KINDS:
        queue = queue_of(kind, shop.queues)
        correlation_id = new_id()
        reply = shop.call(queue, body, correlation_id=correlation_id)
        validator(f"{kind}Reply").validate(reply.json)
        letter, _ = shop.take(f"{queue}.dlq", with_id(correlation_id))
        validator("deadLetterHeaders").validate(letter.headers)
        datetime.datetime.fromisoformat(letter.headers["failed-at"])
        documented = DOCUMENT["components"]["schemas"]["deadLetterHeaders"]["properties"]
        assert set(letter.headers) <= set(documented)
