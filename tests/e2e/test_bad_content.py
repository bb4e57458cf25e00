"""A message whose content header is odd costs that message, and nobody else."""

import json

import pika
import pytest

from bad_things import Flagged, filling_a_frame, passes_flags_on
from client import Client, new_id
from service import Service, run
from waiting import wait_for

GOOD = 30


def send(client, queue, body, properties):
    client.channel.basic_publish("", queue, body, properties)


def order(product):
    return json.dumps({"order_id": new_id(), "product_id": product, "quantity": 1}).encode()


def good_orders(client, queue, product):
    """Sends some; returns their correlation ids."""
    names = [new_id() for _ in range(GOOD)]
    for name in names:
        properties = {"reply_to": client.reply_to, "correlation_id": name, "delivery_mode": 2}
        send(client, queue, order(product), pika.BasicProperties(**properties))
    return names


def check_answers(client, names):
    """Each is answered, and one answer at most has come twice by then."""
    missing = set(names)
    answers = 0
    while missing:
        missing.discard(client.receive().properties.correlation_id)
        answers += 1
    assert answers <= len(names) + 1


def bounce(client, queue):
    """Takes the first message and gives it back: a quorum queue counts that in its headers."""
    method, _, _ = client.channel.basic_get(queue)
    client.channel.basic_nack(method.delivery_tag, requeue=True)
    wait_for(lambda: client.count(queue) == 1, "the message is back")


def declare(client, queue, queue_type):
    client.channel.queue_declare(queue, durable=True, arguments={"x-queue-type": queue_type})


def put_odd(client, queue, kind, body, reply_to=None):
    """Puts a message whose content is of that kind at the head of an empty queue, which it makes."""
    properties = {"correlation_id": "odd", "delivery_mode": 2, "reply_to": reply_to}
    client.channel.confirm_delivery()
    if kind == "large":
        declare(client, queue, "quorum")
        send(client, queue, body, filling_a_frame(**properties))
        bounce(client, queue)
    else:
        declare(client, queue, "classic")
        send(client, queue, body, Flagged(**properties))


def reconnects(service, queue):
    return service.metrics()[f'inventory_reconnects_total{{queue="{queue}"}}']


@pytest.fixture
def product(broker, database, queues):
    """An item of a service that has ended."""
    with Client(broker.url, queues) as client:
        with Service(broker.url, database.url, queues):
            added = client.add(1_000)
        client.channel.queue_delete(queues.order)
    return added


def test_an_order_whose_header_frame_is_above_frame_max_is_answered(
    broker, database, queues, product
):
    with Client(broker.url, queues) as client:
        put_odd(client, queues.order, "large", order(product), client.reply_to)
        names = ["odd", *good_orders(client, queues.order, product)]
        with Service(broker.url, database.url, queues) as service:
            check_answers(client, names)
            check_answers(client, good_orders(client, queues.order, product))
            assert reconnects(service, queues.order) == 0


def test_an_invalid_order_whose_header_frame_is_above_frame_max_is_dead_lettered(
    broker, database, queues, product
):
    with Client(broker.url, queues) as client:
        put_odd(client, queues.order, "large", b"no order", client.reply_to)
        names = ["odd", *good_orders(client, queues.order, product)]
        with Service(broker.url, database.url, queues) as service:
            check_answers(client, names)
            letter, _ = client.take(queues.order_dead)
            assert letter.body == b"no order" and letter.properties.correlation_id == "odd"
            assert letter.headers["headers-dropped"] is True
            assert reconnects(service, queues.order) == 0


# https://github.com/amqp-node/amqplib/issues/135
def test_an_order_that_the_broker_dead_lettered_with_a_full_header_frame_is_answered(
    broker, database, queues, product
):
    retry = new_id()
    with Client(broker.url, queues) as client:
        declare(client, queues.order, "classic")
        arguments = {
            "x-dead-letter-exchange": "",
            "x-dead-letter-routing-key": queues.order,
            "x-message-ttl": 1,
        }
        client.channel.queue_declare(retry, exclusive=True, arguments=arguments)
        send(
            client,
            retry,
            order(product),
            filling_a_frame(correlation_id="odd", reply_to=client.reply_to),
        )
        wait_for(lambda: client.count(queues.order) == 1, "the order is dead-lettered")
        names = ["odd", *good_orders(client, queues.order, product)]
        with Service(broker.url, database.url, queues) as service:
            check_answers(client, names)
            assert reconnects(service, queues.order) == 0


def test_an_order_with_an_undefined_property_flag_is_answered_and_dead_lettered(
    broker, database, queues, product
):
    with Client(broker.url, queues) as client:
        if not passes_flags_on(client):
            pytest.skip("this broker drops the flag")
        put_odd(client, queues.order, "flag", order(product), client.reply_to)
        names = ["odd", *good_orders(client, queues.order, product)]
        with Service(broker.url, database.url, queues) as service:
            check_answers(client, names)
            letter, _ = client.take(queues.order_dead)
            assert letter.properties.correlation_id == "odd"
            assert "0x0002, which AMQP 0-9-1 does not define" in letter.headers["error-message"]
            assert reconnects(service, queues.order) == 0


def command(broker, queues, action, *options):
    options = ["--queue", queues.order, *queues.options(), *options]
    return run("dead-letters", action, *options, AMQP_URL=broker.url)


def listed(broker, queues):
    done = command(broker, queues, "list", "--json")
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("kind", ["large", "flag"])
def test_the_dead_letters_command_gets_past_it(broker, queues, client, kind):
    put_odd(client, queues.order_dead, kind, b"odd")
    declare(client, queues.order, "classic")
    for body in (b"good 1", b"good 2"):
        client.publish(queues.order_dead, body, message_id=body.decode())

    is_undecodable = kind == "flag" and passes_flags_on(client)
    letters = listed(broker, queues)
    assert [letter["body"] for letter in letters] == ["odd", "good 1", "good 2"]
    assert (letters[0]["undecodable"] is not None) == is_undecodable
    assert letters[1]["undecodable"] is None
    assert letters[0]["properties"]["correlation_id"] == "odd"
    shown = command(broker, queues, "show", "--id", "odd").stdout
    assert ("cannot be decoded: its property flags 0x" in shown) == is_undecodable
    assert "correlation_id: odd" in shown

    done = command(broker, queues, "replay", "--id", "odd", "--to", queues.order)
    assert done.returncode == 0, done.stderr
    sent, _ = client.take(queues.order)
    assert sent.body == b"odd" and sent.properties.correlation_id == "odd"
    assert [letter["body"] for letter in listed(broker, queues)] == ["good 1", "good 2"]


@pytest.mark.parametrize("kind", ["large", "flag"])
def test_the_dead_letters_command_removes_it(broker, queues, client, kind):
    put_odd(client, queues.order_dead, kind, b"odd")
    client.publish(queues.order_dead, b"good", message_id=new_id())
    done = command(broker, queues, "purge", "--id", "odd", "--yes")
    assert done.returncode == 0 and "removed 1 of 2" in done.stdout, done.stderr
    assert [letter["body"] for letter in listed(broker, queues)] == ["good"]


def test_what_the_broker_has_added_does_not_keep_a_letter_from_being_replayed(
    broker, queues, client
):
    declare(client, queues.order_dead, "classic")
    declare(client, queues.order, "classic")
    arguments = {
        "x-dead-letter-exchange": "",
        "x-dead-letter-routing-key": queues.order_dead,
        "x-message-ttl": 1,
    }
    source = client.channel.queue_declare("", exclusive=True, arguments=arguments).method.queue
    properties = filling_a_frame(correlation_id="odd", delivery_mode=2)
    send(client, source, b"odd", properties)
    wait_for(lambda: client.count(queues.order_dead) == 1, "the broker has dead-lettered it")
    assert "x-death" in listed(broker, queues)[0]["headers"]
    done = command(broker, queues, "replay", "--to", queues.order)
    assert done.returncode == 0, done.stderr
    sent, _ = client.take(queues.order)
    assert sent.body == b"odd" and sent.headers.keys() == {"x-pad"}
