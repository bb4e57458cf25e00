"""The command dead-letters: looks into the dead-letter queues, and repairs by hand."""

import datetime
import json
import os
import pty
import subprocess
import time

import pytest

from client import Client, new_id
from database import Sqlite
from killing_gate import KillingGate
from service import DEADLINE_S, PROGRAM, Service, environment, run
from waiting import wait_for


QUORUM = {"x-queue-type": "quorum"}
UNLIMITED = QUORUM | {"x-delivery-limit": 2**31 - 1}  # as the service declares them
KINDS = {"classic": {}, "own": UNLIMITED, "quorum": QUORUM, "limited": QUORUM | {"x-delivery-limit": 3}}


@pytest.fixture(params=KINDS)
def dead(request, client, queues):
    """A client of dead-letter queues of each type, to which letters are put by hand."""
    for queue in (queues.order_dead, queues.item_dead):
        client.channel.queue_declare(queue, durable=True, arguments=KINDS[request.param])
    for queue in (queues.order, queues.item):
        client.channel.queue_declare(queue, durable=True)
    client.channel.confirm_delivery()
    yield client
    for queue in (queues.order_dead, queues.item_dead, queues.order, queues.item):
        client.channel.queue_delete(queue)


def put(client, dead_queue, body, reason="invalid", message="quantity is missing", age_s=0, **more):
    """A letter as the service makes it. Returns its message_id."""
    failed_at = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(seconds=age_s)
    headers = {
        "error-reason": reason,
        "error-message": message,
        "original-queue": dead_queue.removesuffix(".dlq"),
        "failed-at": failed_at.isoformat(timespec="microseconds"),
        **more.pop("headers", {}),
    }
    properties = {"message_id": new_id(), "delivery_mode": 2, **more}
    client.publish(dead_queue, body, headers=headers, **properties)
    return properties["message_id"]


def command(broker, queues, action, *options):
    return run("dead-letters", action, *queues.options(), *options, AMQP_URL=broker.url)


def listed(broker, queues, *options):
    done = command(broker, queues, "list", "--json", *options)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def ids(letters):
    return [letter["properties"]["message_id"] for letter in letters]


def keep(client, kept_queue, body, original_queue, **more):
    """A reply as the service keeps it whose client's queue takes none. Returns its correlation_id."""
    failed_at = datetime.datetime.now(datetime.timezone.utc)
    headers = {
        **more.pop("headers", {}),
        "error-reason": "undelivered",
        "error-message": "the reply queue takes no messages",
        "original-queue": original_queue,
        "failed-at": failed_at.isoformat(timespec="microseconds"),
    }
    properties = {
        "content_type": "application/json",
        "delivery_mode": 2,
        "app_id": "inventory-service",
        "correlation_id": new_id(),
        **more,
    }
    client.publish(kept_queue, body, headers=headers, **properties)
    return properties["correlation_id"]


def drain(client, queue):
    """Everything that is in a queue."""
    messages = []
    while True:
        method, properties, body = client.channel.basic_get(queue, auto_ack=True)
        if method is None:
            return messages
        messages.append((properties, body))


def test_list_shows_what_is_there_and_leaves_it_in_order(broker, queues, dead):
    orders = [put(dead, queues.order_dead, b'{"n": %d}' % n, age_s=n) for n in range(20)]
    item = put(dead, queues.item_dead, b"\xff", reason="too-large", message="\x1b[31mtoo large")
    for _ in range(2):
        letters = listed(broker, queues)
        assert ids(letters) == orders + [item]
    assert [letter["position"] for letter in letters] == [*range(1, 21), 1]
    assert letters[3]["body"] == '{"n": 3}' and letters[3]["reason"] == "invalid"
    assert letters[3]["original_queue"] == queues.order
    assert letters[-1]["body"] == {"base64": "/w=="}
    table = command(broker, queues, "list").stdout
    assert all(text in table for text in (*orders, item, queues.item_dead, "too-large"))
    assert "\x1b" not in table
    assert ids(listed(broker, queues)) == orders + [item]


def test_a_look_at_many_letters_leaves_them_in_the_queue_and_the_service_at_work(
    broker, queues, folder
):
    letters = 10_000
    with Service(broker.url, Sqlite(folder).url, queues), Client(broker.url, queues) as client:
        for n in range(letters):
            client.publish(queues.order_dead, b"%d" % n)

        def ready():
            return client.channel.queue_declare(queues.order_dead, passive=True).method.message_count

        def wait_until_ready(count):
            end = time.monotonic() + DEADLINE_S
            while ready() != count:
                assert time.monotonic() < end, f"{ready()} of {count} letters are in the queue"

        wait_until_ready(letters)
        assert [letter["body"] for letter in listed(broker, queues)] == [
            str(n) for n in range(letters)
        ]
        assert "Invalid order" in client.order({"order_id": "wrong"}).json["message"]
        assert client.add(1) > 0
        wait_until_ready(letters + 1)


def test_a_long_queue_stays_in_order_and_complete_however_often_it_is_looked_at(
    broker, queues, dead
):
    """RabbitMQ 4 drops what a quorum queue has delivered 20 times, unless the queue says otherwise."""
    letters = [put(dead, queues.order_dead, b"{}") for _ in range(150)]
    for _ in range(25):
        assert ids(listed(broker, queues, "--queue", queues.order)) == letters


def test_a_look_into_a_queue_with_a_limit_changes_nothing_of_the_letters(broker, queues, client):
    for queue in (queues.order_dead, queues.item_dead):
        client.channel.queue_declare(queue, durable=True, arguments=KINDS["limited"])
    headers = {"CC": ["elsewhere"], "traceparent": "00-1", "n": 1, "nested": {"a": [1, None]}}
    put(client, queues.order_dead, b"\0\xff", headers=headers, user_id="guest", priority=3, type="t")
    first = listed(broker, queues)[0]
    for _ in range(5):
        last = listed(broker, queues)[0]
    acted = {"original-CC": ["elsewhere"], "original-user-id": "guest"}
    kept = {name: value for name, value in first["headers"].items() if name != "CC"} | acted
    kept.pop("x-delivery-count", None)
    last["headers"].pop("x-delivery-count", None)
    assert last["headers"] == kept
    assert last["properties"] == {
        name: value for name, value in first["properties"].items() if name != "user_id"
    }
    assert last["body"] == first["body"]
    for queue in (queues.order_dead, queues.item_dead):
        client.channel.queue_delete(queue)


@pytest.mark.parametrize("action", ["purge", "replay"])
def test_what_is_said_to_be_removed_is(broker, queues, dead, action):
    """RabbitMQ forgets acknowledgements for a quorum queue that are not under way when it is left."""
    count = 500
    for _ in range(count):
        put(dead, queues.order_dead, b"{}")
    kept = put(dead, queues.order_dead, b"{}", reason="too-large")
    options = ["--queue", queues.order, "--reason", "invalid"] + ["--yes"] * (action == "purge")
    done = command(broker, queues, action, *options)
    assert done.returncode == 0, done.stderr
    assert f"ed {count} of {count + 1}" in done.stdout
    assert ids(listed(broker, queues)) == [kept]
    assert len(drain(dead, queues.order)) == (count if action == "replay" else 0)


def test_a_queue_that_takes_nothing_back_loses_nothing(broker, queues, client):
    for queue in (queues.order_dead, queues.item_dead):
        arguments = QUORUM | {"x-delivery-limit": 0}
        client.channel.queue_declare(queue, durable=True, arguments=arguments)
    client.channel.queue_declare(queues.order, durable=True)
    client.channel.confirm_delivery()
    letters = [put(client, queues.order_dead, b"%d" % n) for n in range(50)]
    for _ in range(2):
        assert ids(listed(broker, queues, "--queue", queues.order)) == letters
    done = command(broker, queues, "replay", "--queue", queues.order, "--id", letters[20])
    assert done.returncode == 0, done.stderr
    done = command(broker, queues, "purge", "--queue", queues.order, "--text", "4", "--yes")
    assert done.returncode == 0 and "removed 14 of 49" in done.stdout, done.stdout + done.stderr
    kept = [name for n, name in enumerate(letters) if n != 20 and "4" not in str(n)]
    assert ids(listed(broker, queues, "--queue", queues.order)) == kept
    assert [sent.message_id for sent, _ in drain(client, queues.order)] == [letters[20]]
    for queue in (queues.order_dead, queues.item_dead, queues.order):
        client.channel.queue_delete(queue)


def test_what_the_broker_has_dropped_is_understood_and_replayed(broker, queues, client):
    death = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": queues.order_dead}
    arguments = QUORUM | {"x-delivery-limit": 1} | death
    client.channel.queue_declare(queues.order, durable=True, arguments=arguments)
    for queue in (queues.order_dead, queues.item_dead, queues.item):
        client.channel.queue_declare(queue, durable=True, arguments=UNLIMITED)
    client.channel.confirm_delivery()
    client.publish(queues.order, b"{}", message_id="dropped", reply_to="r", delivery_mode=2)
    for _ in range(2):
        with Client(broker.url) as other:
            wait_for(lambda: other.channel.basic_get(queues.order)[0], "it is in the queue")
    wait_for(lambda: listed(broker, queues), "the broker has dropped it")
    [letter] = listed(broker, queues, "--reason", "delivery-limit")
    assert letter["original_queue"] == queues.order and letter["failed_at"]
    done = command(broker, queues, "replay")
    assert done.returncode == 0, done.stderr
    assert [sent.message_id for sent, _ in drain(client, queues.order)] == ["dropped"]
    assert listed(broker, queues) == []
    for queue in (queues.order, queues.item, queues.order_dead, queues.item_dead):
        client.channel.queue_delete(queue)


@pytest.mark.parametrize("arguments", KINDS.values(), ids=KINDS)
def test_without_the_right_to_declare_it_copies(broker, queues, client, arguments):
    """It cannot be known then whether the queue has a limit."""
    for queue in (queues.order_dead, queues.item_dead):
        client.channel.queue_declare(queue, durable=True, arguments=arguments)
    client.channel.confirm_delivery()
    letters = [put(client, queues.order_dead, b"{}") for _ in range(20)]
    broker.control("add_user", "reader", "secret")
    broker.control("set_permissions", "reader", "^$", "^amq\\.default$", ".*")
    url = broker.url.replace("guest:guest", "reader:secret")
    for _ in range(5):
        done = run("dead-letters", "list", "--json", *queues.options(), AMQP_URL=url)
        assert done.returncode == 0, done.stderr
        assert ids(map(json.loads, done.stdout.splitlines())) == letters
    broker.control("delete_user", "reader")
    for queue in (queues.order_dead, queues.item_dead):
        client.channel.queue_delete(queue)


def test_purge_does_not_hold_letters_of_a_queue_with_a_limit_while_it_asks(broker, queues, client):
    client.channel.queue_declare(queues.order_dead, durable=True, arguments=KINDS["limited"])
    client.channel.confirm_delivery()
    kept = put(client, queues.order_dead, b"{}")
    terminal, end = pty.openpty()
    done = subprocess.run(
        [PROGRAM, "dead-letters", "purge", "--queue", queues.order, *queues.options()],
        env=environment(AMQP_URL=broker.url),
        stdin=end,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
    )
    os.close(terminal)
    os.close(end)
    assert done.returncode == 3 and "--dry-run, then remove with --yes" in done.stderr
    assert ids(listed(broker, queues, "--queue", queues.order)) == [kept]
    client.channel.queue_delete(queues.order_dead)


def test_a_reader_that_goes_leaves_the_letters_in_order_and_hears_nothing(broker, queues, dead):
    letters = [put(dead, queues.order_dead, b"{}", message=200 * "x") for _ in range(100)]
    process = subprocess.Popen(
        [PROGRAM, "dead-letters", "list", "--queue", queues.order, *queues.options()],
        env=environment(AMQP_URL=broker.url),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    process.stdout.close()
    assert (process.stderr.read(), process.wait(timeout=DEADLINE_S)) == ("", 3)
    process.stderr.close()
    assert ids(listed(broker, queues)) == letters


def test_filters_name_what_is_meant(broker, queues, dead):
    old = put(dead, queues.order_dead, b"{}", age_s=7200)
    large = put(dead, queues.order_dead, b"{}", reason="too-large", message="too many bytes")
    body = put(dead, queues.item_dead, b"with a coupon", correlation_id="c 1")
    foreign = new_id()
    dead.publish(queues.item_dead, b"", message_id=foreign)
    everything = [old, large, body, foreign]
    for options, expected in {
        (): everything,
        ("--queue", queues.order): [old, large],
        ("--queue", queues.item_dead): [body, foreign],
        ("--reason", "too-large"): [large],
        ("--older-than", "1h"): [old],
        ("--newer-than", "1h"): [large, body],
        ("--text", "coupon"): [body],
        ("--text", "many bytes"): [large],
        ("--id", "c 1"): [body],
        ("--limit", "1"): [old, body],
        ("--reason", "invalid", "--newer-than", "1h"): [body],
    }.items():
        assert ids(listed(broker, queues, *options)) == expected, options
    shown = command(broker, queues, "show", "--text", "coupon")
    assert shown.returncode == 0
    assert "correlation_id: c 1" in shown.stdout and "with a coupon" in shown.stdout
    shown = command(broker, queues, "show", "--json", "--queue", queues.order, "--position", "2")
    assert ids([json.loads(shown.stdout)]) == [large]
    assert command(broker, queues, "show", "--text", "absent").returncode == 1


def test_replay_sends_the_request_as_it_was(broker, queues, dead):
    properties = {
        "correlation_id": "c",
        "reply_to": "r",
        "headers": {"traceparent": "00-1", "original-expiration": "1", "CC": ["elsewhere"]},
    }
    wanted = put(dead, queues.order_dead, b'{"a": 1}', **properties)
    other = put(dead, queues.order_dead, b"{}", reason="too-large")
    dry = command(broker, queues, "replay", "--reason", "invalid", "--dry-run")
    assert dry.returncode == 0 and "would have replayed 1 of 2" in dry.stdout, dry.stderr
    assert ids(listed(broker, queues)) == [wanted, other]
    done = command(broker, queues, "replay", "--reason", "invalid")
    assert done.returncode == 0, done.stderr
    assert ids(listed(broker, queues)) == [other]
    [(sent, body)] = drain(dead, queues.order)
    assert body == b'{"a": 1}'
    assert (sent.message_id, sent.correlation_id, sent.reply_to) == (wanted, "c", "r")
    assert sent.headers == {"traceparent": "00-1"}
    assert sent.delivery_mode == 2 and sent.expiration is None


def test_letters_of_all_kinds_of_requests_are_there(broker, database, queues, client):
    """Also where only some of the queues exist: a service of before has fewer."""
    with Service(broker.url, database.url, queues):
        kinds = queues.requests.values()
        for queue in kinds:
            client.publish(queue, b"no JSON", message_id=f"to {queue}")
        wait_for(lambda: len(listed(broker, queues)) == len(kinds), "a letter of each kind")
    for queue in kinds:
        shown = listed(broker, queues, "--queue", queue)
        assert ids(shown) == [f"to {queue}"]
    client.channel.queue_delete(f"{queues.cancel}.dlq")
    assert len(listed(broker, queues)) == len(kinds) - 1
    named = command(broker, queues, "list", "--queue", queues.cancel)
    assert named.returncode == 3 and f"there is no queue {queues.cancel}.dlq" in named.stderr
    done = command(broker, queues, "replay")
    assert done.returncode == 0, done.stderr
    bodies = [body for _, body in drain(client, queues.adjust)]
    assert bodies == [b"no JSON"]


def test_replay_leaves_what_has_no_queue_to_go_to(broker, queues, dead):
    strange = put(dead, queues.order_dead, b"{}", headers={"original-queue": "strange"})
    foreign = new_id()
    dead.publish(queues.order_dead, b"", message_id=foreign)
    done = command(broker, queues, "replay")
    assert done.returncode == 1
    assert "no request queue of the settings" in done.stderr and "no header" in done.stderr
    done = command(broker, queues, "replay", "--to", new_id())
    assert done.returncode == 3 and "there is no queue" in done.stderr
    assert ids(listed(broker, queues)) == [strange, foreign]
    done = command(broker, queues, "replay", "--to", queues.item)
    assert done.returncode == 0, done.stderr
    assert [sent.message_id for sent, _ in drain(dead, queues.item)] == [strange, foreign]


def test_replay_leaves_what_is_not_whole_and_says_how_many(broker, queues, dead):
    whole = put(dead, queues.order_dead, b"{}")
    dropped = [
        put(dead, queues.order_dead, b"", headers={"body-dropped": "2000 bytes"}),
        put(dead, queues.order_dead, b"{}", headers={"headers-dropped": True}),
        put(dead, queues.order_dead, b"", headers={"body-dropped": "2000 bytes"}),
    ]
    done = command(broker, queues, "replay")
    assert done.returncode == 1
    assert "left 2: its body was dropped" in done.stderr
    assert "left 1: its headers were dropped" in done.stderr
    assert ids(listed(broker, queues)) == dropped
    assert [sent.message_id for sent, _ in drain(dead, queues.order)] == [whole]


@pytest.mark.parametrize("arguments", [{}, UNLIMITED, QUORUM], ids=["classic", "own", "quorum"])
def test_replies_that_were_kept_are_looked_at_and_sent_on(broker, queues, client, arguments):
    kept_queue, reply_queue = f"{queues.order}.undelivered", new_id()
    client.channel.queue_declare(kept_queue, durable=True, arguments=arguments)
    client.channel.queue_declare(reply_queue, exclusive=True)
    client.channel.confirm_delivery()
    body = b'{"order_id": 17, "success": true}'
    trace = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
    headers = {**trace, "idempotent-replayed": True}
    kept = [keep(client, kept_queue, body, reply_queue, headers=headers) for _ in range(2)]
    gone = keep(client, kept_queue, b"{}", new_id())
    this = ["--queue", kept_queue]

    def there():
        letters = listed(broker, queues, *this, "--reason", "undelivered")
        return [letter["properties"]["correlation_id"] for letter in letters]

    assert there() == [*kept, gone]
    table = command(broker, queues, "list", *this).stdout
    assert kept_queue in table and "the reply queue takes no messages" in table
    shown = command(broker, queues, "show", *this, "--id", kept[1])
    assert shown.returncode == 0, shown.stderr
    for text in (kept[1], reply_queue, "undelivered", body.decode()):
        assert text in shown.stdout

    dry = command(broker, queues, "replay", *this, "--dry-run")
    assert dry.returncode == 0 and "would have replayed 3 of 3" in dry.stdout, dry.stderr
    assert client.count(reply_queue) == 0
    done = command(broker, queues, "replay", *this)
    assert done.returncode == 1 and "replayed 2 of 3" in done.stdout, done.stderr
    assert "left 1: there is no queue" in done.stderr
    assert there() == [gone]
    replies = drain(client, reply_queue)
    assert [properties.correlation_id for properties, _ in replies] == kept
    for properties, text in replies:
        assert text == body
        assert properties.headers == headers
        assert properties.content_type == "application/json"
        assert properties.delivery_mode == 2
        assert properties.app_id == "inventory-service"

    done = command(broker, queues, "purge", *this, "--yes")
    assert done.returncode == 0 and "removed 1 of 1" in done.stdout, done.stderr
    assert there() == []
    client.channel.queue_delete(kept_queue)


HARMFUL = "\x1b[31m\x7f\u009b31m\u202egpj\u2066"


def test_no_form_gives_a_terminal_what_it_would_obey(broker, queues, dead):
    put(
        dead,
        queues.order_dead,
        json.dumps({"note": HARMFUL}, ensure_ascii=False).encode(),
        message=HARMFUL,
        reason=HARMFUL,
        correlation_id="c",
        headers={"nested": {HARMFUL: HARMFUL}, HARMFUL: HARMFUL},
    )
    for options in (["list"], ["list", "--json"], ["show"], ["show", "--json"]):
        done = command(broker, queues, *options)
        assert done.returncode == 0, done.stderr
        for character in set(HARMFUL) - set("[31mgpj"):
            assert character not in done.stdout, options
    assert listed(broker, queues)[0]["message"] == HARMFUL


def test_replay_leaves_what_a_full_queue_rejects(broker, queues, dead):
    full = new_id()
    arguments = {"x-max-length": 1, "x-overflow": "reject-publish"}
    dead.channel.queue_declare(full, exclusive=True, arguments=arguments)
    put_ids = [put(dead, queues.order_dead, b"{}") for _ in range(3)]
    done = command(broker, queues, "replay", "--to", full)
    assert done.returncode == 1 and "rejects messages" in done.stderr
    sent = [message.message_id for message, _ in drain(dead, full)]
    assert len(sent) == 1
    assert sorted(sent + ids(listed(broker, queues))) == sorted(put_ids)


def test_purge_removes_what_matches(broker, queues, dead):
    for _ in range(3):
        put(dead, queues.order_dead, b"{}", age_s=100)
    kept = put(dead, queues.order_dead, b"{}")
    refused = command(broker, queues, "purge", "--older-than", "90s")
    assert refused.returncode == 2 and "--yes" in refused.stderr
    dry = command(broker, queues, "purge", "--older-than", "90s", "--dry-run")
    assert dry.returncode == 0 and "would have removed 3 of 4" in dry.stdout
    assert len(listed(broker, queues)) == 4
    done = command(broker, queues, "purge", "--older-than", "90s", "--yes")
    assert done.returncode == 0 and "removed 3 of 4" in done.stdout
    assert ids(listed(broker, queues)) == [kept]


@pytest.mark.parametrize("answer, status, left", [("n", 1, 2), ("y", 0, 0)])
@pytest.mark.parametrize("dead", ["classic", "own"], indirect=True)
def test_purge_asks_on_a_terminal(broker, queues, dead, answer, status, left):
    for _ in range(2):
        put(dead, queues.order_dead, b"{}")
    terminal, end = pty.openpty()
    process = subprocess.Popen(
        [PROGRAM, "dead-letters", "purge", "--queue", queues.order, *queues.options()],
        env=environment(AMQP_URL=broker.url),
        stdin=end,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.write(terminal, f"{answer}\n".encode())
    _, asked = process.communicate(timeout=DEADLINE_S)
    os.close(terminal)
    os.close(end)
    assert process.returncode == status
    assert "remove 2 of the 2 dead letters" in asked
    assert len(listed(broker, queues)) == left


def test_without_queue_or_broker_the_status_is_3(broker, queues):
    done = command(broker, queues, "list")
    assert done.returncode == 3 and f"there is no queue {queues.order_dead}" in done.stderr
    done = run("dead-letters", "list", AMQP_URL="amqp://guest:secret@127.0.0.1:1/")
    assert done.returncode == 3
    assert "secret" not in done.stderr and done.stderr.count("\n") == 1


def replay_through(gate, queues):
    return subprocess.Popen(
        [PROGRAM, "dead-letters", "replay", *queues.options()],
        env=environment(AMQP_URL=gate.url),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def killed_after(count, broker, queues):
    """Runs a replay that is killed when so many bytes have arrived at the broker."""
    processes = []
    with KillingGate(broker.url, count, lambda: processes[0].kill()) as gate:
        processes.append(replay_through(gate, queues))
        assert processes[0].wait(timeout=DEADLINE_S) != 0


def test_replay_may_be_killed_at_any_point(broker, queues, dead):
    letters = 8

    def fill():
        return {put(dead, queues.order_dead, b"{}") for _ in range(letters)}

    fill()
    with KillingGate(broker.url) as gate:
        assert replay_through(gate, queues).wait(timeout=DEADLINE_S) == 0
        whole = gate.passed
    assert len(drain(dead, queues.order)) == letters
    for point in range(1, 25):
        expected = fill()
        killed_after(whole * point // 25, broker, queues)
        sent = {message.message_id for message, _ in drain(dead, queues.order)}
        assert sent <= expected
        # The broker puts back what was not acknowledged as soon as it notices.
        end = time.monotonic() + DEADLINE_S
        while not expected <= sent | set(ids(listed(broker, queues))):
            assert time.monotonic() < end, f"lost when killed after {whole * point // 25} bytes"
        assert command(broker, queues, "replay").returncode == 0
        sent |= {message.message_id for message, _ in drain(dead, queues.order)}
        assert sent == expected
        assert listed(broker, queues) == []


def test_replayed_requests_are_decided(broker, database, queues):
    with Service(broker.url, database.url, queues, ["--message-bytes-max=1024"]):
        with Client(broker.url, queues) as client:
            product = client.add(10)
            order = {"order_id": new_id(), "product_id": product, "quantity": 2, "x": 2000 * "x"}
            assert "Invalid order" in client.order(order).json["message"]
            assert "Invalid order" in client.order({"order_id": "wrong"}).json["message"]
    with Service(broker.url, database.url, queues), Client(broker.url, queues) as client:
        assert len(listed(broker, queues)) == 2
        done = command(broker, queues, "replay")
        assert done.returncode == 0 and "replayed 2 of 2" in done.stdout, done.stderr
        assert client.order({**order}).json["message"] == "Inventory updated"
        assert client.order({**order, "quantity": 8, "order_id": new_id()}).json["success"]
        end = time.monotonic() + DEADLINE_S
        while not (letters := listed(broker, queues)):  # it comes back, and only once
            assert time.monotonic() < end
        assert [letter["reason"] for letter in letters] == ["invalid"]
