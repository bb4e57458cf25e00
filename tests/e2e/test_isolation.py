"""One bad row, one bad client costs that one, and nobody else: the others are answered while the
bad thing stays where it is, and its own requests when it has ended. See also test_bad_content.py."""

import collections
import contextlib
import json
import time

import psycopg2
import pytest

import bad_things
from client import Client
from database import Postgres, Sqlite, stock
from service import Queues, Service
from waiting import wait_for

DELIVERY_LIMIT = 20
GOOD = 60  # orders of others, sent at once
PREFETCH = 2_000
SMALL_PREFETCH = 100
TINY_PREFETCH = 10
LOCKED_S = 8  # longer than a locked row may be in the way of others


class Shop:
    """Services of one queue, a client of theirs, and what came to it."""

    opening = 1_000  # of the products that it adds

    def __init__(self, broker, postgres, queue_type, instances):
        self.broker = broker
        self.queues = Queues.fresh()
        self.database = Postgres.new_schema(postgres.url)
        self.amqp_url, self.postgres_url = broker.url, self.database.url
        self.evaluate = broker.evaluate
        self.queue_type, self.instances = queue_type, instances
        self.options = []  # of services that are started from now on
        self.limit = f"{self.queues.order}.limit"  # what was delivered too often
        self.kept = f"{self.queues.order}.undelivered"
        self.replies = collections.defaultdict(list)  # by correlation id
        self.sent = set()
        self.stack = contextlib.ExitStack()

    def __enter__(self):
        with self.stack:
            self.client = self.stack.enter_context(Client(self.amqp_url, self.queues))
            is_quorum = self.queue_type == "quorum"
            self.passes_flags_on = not is_quorum and bad_things.passes_flags_on(self.client)
            if is_quorum:
                self._declare_with_a_limit()
            self.services = [self.start() for _ in range(self.instances)]
            self.product = self.client.add(1_000_000)
            self.stack = self.stack.pop_all()
        return self

    def __exit__(self, *_):
        self.stack.close()

    def start(self):
        options = [f"--queue-type={self.queue_type}", *self.options]
        service = Service(self.amqp_url, self.postgres_url, self.queues, options)
        return self.stack.enter_context(service)

    def _declare_with_a_limit(self):
        arguments = {
            "x-queue-type": "quorum",
            "x-delivery-limit": DELIVERY_LIMIT,
            "x-dead-letter-exchange": "",
            "x-dead-letter-routing-key": self.limit,
        }
        self.client.channel.queue_declare(self.queues.order, durable=True, arguments=arguments)
        self.client.channel.queue_declare(self.limit, exclusive=True)

    def add_products(self, count):
        item = {"quantity": self.opening}
        for _ in range(count):
            self.client.publish(self.queues.item, item, reply_to=self.client.reply_to)
        added = [self.client.receive(lambda message: "id" in message.json) for _ in range(count)]
        return [reply.json["id"] for reply in added]

    def send(self, meeting):
        """An order; its correlation id."""
        order = {"order_id": meeting.order_id, "product_id": meeting.product, "quantity": 1}
        properties = meeting.properties(
            reply_to=meeting.reply_to or self.client.reply_to,
            correlation_id=meeting.order_id,
            delivery_mode=2,
        )
        body = json.dumps(order).encode()
        self.client.channel.basic_publish("", self.queues.order, body, properties)
        self.sent.add(meeting.order_id)
        return meeting.order_id

    def send_good(self, count=GOOD):
        return [self.send(bad_things.Meeting(self.product)) for _ in range(count)]

    def send_among_others(self, meetings):
        """The correlation ids of the orders for these meetings, and of others between them."""
        bad, good = [], self.send_good(1)
        each = max(1, len(meetings) * 3 // GOOD)
        for number, meeting in enumerate(meetings):
            bad.append(self.send(meeting))
            if number % each == 0:
                good += self.send_good(3)
        return bad, good + self.send_good(max(0, GOOD - len(good)))

    def look(self, wait_s=0.0):
        """Takes what has come."""
        self.client.connection.process_data_events(time_limit=wait_s)
        for message in self.client.inbox:
            self.replies[message.properties.correlation_id].append(message)
        self.client.inbox.clear()

    def wait_for_answers(self, names, lost=lambda: 0):
        def missing():
            self.look(0.05)
            return len([name for name in names if name not in self.replies]) - lost()

        # A hundred slow rows are found one by one, by one instance if the broker gives it all.
        what = f"answers to {len(names)} orders"
        wait_for(lambda: missing() <= 0, what, deadline_s=180, interval_s=0)

    def ask_one_by_one(self, count=5):
        for _ in range(count):
            self.wait_for_answers(self.send_good(1))

    def metric(self, name):
        series = f'{name}{{queue="{self.queues.order}"}}'
        return sum(service.metrics()[series] for service in self.services)

    def given_up(self):
        return self.metric("inventory_replies_given_up_total")

    def assert_ready(self):
        for service in self.services:
            status, text = service.get("/readyz")
            assert status == 200, text

    def assert_few_copies(self, extra):
        self.look()
        more = {name: len(of) for name, of in self.replies.items() if len(of) > 1 + extra}
        assert not more, f"more than {extra} extra copies"

    def assert_nothing_is_dead(self):
        if self.client.exists(self.queues.order_dead):
            assert self.client.count(self.queues.order_dead) == 0
        if self.queue_type == "quorum":
            assert self.client.count(self.limit) == 0

    def wait_until_all_is_acknowledged(self):
        """Then the queue has none, nor has an instance."""
        count = (
            f'rabbit_amqqueue:info(element(2, rabbit_amqqueue:lookup(rabbit_misc:r(<<"/">>,'
            f' queue, <<"{self.queues.order}">>))), [messages])'
        )
        wait_for(lambda: self.evaluate(count) == "[{messages, 0}]", "all is acknowledged")


SHOPS = {
    "classic, one instance": ("classic", 1),
    "quorum, two instances": ("quorum", 2),
}
COUNTS = {"classic, one instance": 1, "quorum, two instances": 100}


@pytest.fixture(scope="module", params=SHOPS)
def shop(request, broker, postgres):
    with Shop(broker, postgres, *SHOPS[request.param]) as made:
        made.count = COUNTS[request.param]
        yield made


def listen_to_clients(shop, meetings):
    """From now on the client receives what comes to the queues of these meetings."""
    for queue in {meeting.reply_to for meeting in meetings if meeting.reply_to}:
        if not queue.startswith("amq."):
            shop.client.consume(queue)
    if shop.client.exists(shop.kept):  # where it took longer than the service waits
        shop.client.consume(shop.kept)


def check(shop, kind, count):
    """The others are answered while it stays; its own when it has ended."""
    reconnects, given_up = shop.metric("inventory_reconnects_total"), shop.given_up()
    with kind(shop, count) as bad:
        meetings = bad.meetings()
        own, good = shop.send_among_others(meetings)
        shop.wait_for_answers(good)
        shop.wait_for_answers(shop.send_good())
        shop.ask_one_by_one()
        shop.assert_ready()
        bad.end()
        listen_to_clients(shop, meetings)
        lost = (lambda: shop.given_up() - given_up) if bad.loses_replies else (lambda: 0)
        shop.wait_for_answers(own, lost)
        shop.wait_until_all_is_acknowledged()
    # One of another kind may cost another one.
    shop.assert_few_copies(2 if kind is bad_things.All else 1)
    assert shop.metric("inventory_reconnects_total") == reconnects
    return own


@pytest.mark.parametrize("kind", bad_things.KINDS)
def test_others_are_answered_while_it_stays(shop, kind):
    own = check(shop, bad_things.KINDS[kind], shop.count)
    if kind == "undefined flag" and shop.passes_flags_on:
        letter, _ = shop.client.take(shop.queues.order_dead)
        assert letter.properties.correlation_id == own[0]
    shop.assert_nothing_is_dead()


def test_others_are_answered_while_all_kinds_are_there_at_once(shop):
    check(shop, bad_things.All, 10)
    if shop.passes_flags_on:
        for _ in range(10):
            letter, _ = shop.client.take(shop.queues.order_dead)
            assert "0x0002" in letter.headers["error-message"]
    shop.assert_nothing_is_dead()


def test_a_service_that_starts_in_the_midst_of_it_answers_the_others(broker, postgres):
    with Shop(broker, postgres, "quorum", 1) as shop, bad_things.All(shop, 3) as bad:
        assert shop.services.pop().stop() == 0
        meetings = bad.meetings()
        own, good = shop.send_among_others(meetings)
        shop.services.append(shop.start())
        shop.wait_for_answers(good)
        # What waits is given back when it stops, and waits with the next.
        assert shop.services.pop().stop() == 0
        good = shop.send_good()
        shop.services.append(shop.start())
        shop.wait_for_answers(good)
        shop.assert_ready()
        bad.end()
        listen_to_clients(shop, meetings)
        shop.wait_for_answers(own, lambda: sum(kind.loses_replies * 3 for kind in bad.kinds))
        shop.wait_until_all_is_acknowledged()
        shop.assert_nothing_is_dead()


KEEPS_PRODUCTS = [
    "poisoned product",
    "locked row",
    "slow row",
    "row that waits for a lock",
    "wrong ledger row",
]


@pytest.mark.parametrize("kind", KEEPS_PRODUCTS)
def test_what_waited_for_a_product_is_decided_in_the_order_of_arrival(broker, postgres, kind):
    with Shop(broker, postgres, "classic", 1) as shop:
        shop.opening = 10
        with bad_things.KINDS[kind](shop, 1) as bad:
            [first] = bad.meetings()
            there = stock(shop.database)[first.product]
            waiting = [shop.send(first)]
            for _ in range(4):
                shop.ask_one_by_one(1)
                waiting += [shop.send(bad_things.Meeting(first.product)) for _ in range(5)]
            shop.wait_for_answers(shop.send_good())
            assert not shop.replies.keys() & set(waiting)
            bad.end()
            shop.wait_for_answers(waiting)
        answers = [shop.replies[name][0].json["success"] for name in waiting]
        assert answers == [True] * there + [False] * (len(waiting) - there)
        shop.assert_nothing_is_dead()


def test_products_that_fail_and_fill_the_prefetch_hold_up_nobody(broker, postgres):
    """Their requests are all that it may have in hand, so nobody else's show that others pass."""
    with Shop(broker, postgres, "classic", 1) as shop:
        shop.options = [f"--prefetch={SMALL_PREFETCH}"]
        with bad_things.Poisoned(shop, 2) as bad:
            meetings = bad.meetings()
            assert shop.services.pop().stop() == 0
            own = [
                shop.send(bad_things.Meeting(meeting.product))
                for _ in range(SMALL_PREFETCH)
                for meeting in meetings
            ]
            good = shop.send_good()
            shop.services.append(shop.start())
            shop.wait_for_answers(good)
            shop.ask_one_by_one()
            bad.end()
        shop.wait_for_answers(own)
        # What was refused can be replayed; what was not is decided.
        refused = [name for name in own if not shop.replies[name][0].json["success"]]
        assert shop.client.count(shop.queues.order_dead) == len(refused) >= SMALL_PREFETCH
        assert "the database refuses it" in shop.replies[refused[0]][0].json["message"]


def test_a_table_that_is_locked_for_seconds_costs_no_order(broker, postgres):
    """Rejections pass meanwhile, for they change no stock. That says nothing of the orders."""
    with Shop(broker, postgres, "classic", 1) as shop:
        assert shop.services.pop().stop() == 0
        shop.options = [f"--prefetch={SMALL_PREFETCH}"]
        shop.services.append(shop.start())
        products = shop.add_products(20)
        with contextlib.closing(psycopg2.connect(shop.database.url)) as holder:
            holder.cursor().execute("LOCK TABLE inventory IN SHARE MODE")
            own = [
                shop.send(bad_things.Meeting(product))
                for _ in range(SMALL_PREFETCH * 3 // 4 // len(products))
                for product in products
            ]
            end = time.monotonic() + LOCKED_S
            while time.monotonic() < end:
                shop.wait_for_answers([shop.send(bad_things.Meeting(product=999_999))])
            assert not shop.replies.keys() & set(own)
        shop.wait_for_answers(own)
        assert all(shop.replies[name][0].json["success"] for name in own)
        shop.assert_nothing_is_dead()


def test_a_silent_client_with_more_requests_than_the_prefetch_holds_up_nobody(broker, postgres):
    with Shop(broker, postgres, "quorum", 1) as shop, bad_things.SilentQuorum(shop, 1) as bad:
        [meeting] = bad.meetings()
        own, good = [], []
        for _ in range(3 * PREFETCH // 100):
            own += [
                shop.send(bad_things.Meeting(shop.product, meeting.reply_to)) for _ in range(100)
            ]
            good += shop.send_good(2)
        shop.wait_for_answers(good)
        shop.ask_one_by_one()
        shop.assert_ready()
        # The service keeps all of them in the end, and their requests are done.
        wait_for(
            lambda: shop.client.exists(shop.kept) and shop.client.count(shop.kept) == len(own),
            "all replies are kept",
        )
        shop.wait_until_all_is_acknowledged()
        assert shop.metric("inventory_replies_kept_total") == len(own)
        shop.client.consume(shop.kept)
        shop.wait_for_answers(own)
        for name in own:
            [letter] = shop.replies[name]
            assert letter.json["order_id"] == name
            assert letter.headers["error-reason"] == "undelivered"
            assert letter.headers["original-queue"] == meeting.reply_to
        assert shop.metric("inventory_reconnects_total") == 0
        shop.assert_nothing_is_dead()


@pytest.mark.parametrize("kind", ["silent classic queue", "silent quorum queue"])
def test_silent_queues_hold_up_nobody_where_the_prefetch_is_smaller_than_their_number(
    broker, postgres, kind
):
    with Shop(broker, postgres, "quorum", 1) as shop:
        assert shop.services.pop().stop() == 0
        shop.options = [f"--prefetch={TINY_PREFETCH}"]
        shop.services.append(shop.start())
        with bad_things.KINDS[kind](shop, 2 * TINY_PREFETCH) as bad:
            meetings = bad.meetings()
            own, good = [], []
            for _ in range(3):
                for meeting in meetings:
                    order = bad_things.Meeting(shop.product, meeting.reply_to)
                    own.append(shop.send(order))
                    good += shop.send_good(2)
            shop.wait_for_answers(good)
            shop.ask_one_by_one()
            shop.assert_ready()
            bad.end()
            listen_to_clients(shop, meetings)
            shop.wait_for_answers(own)
            shop.wait_until_all_is_acknowledged()
        assert shop.metric("inventory_replies_kept_total") > 0
        assert shop.metric("inventory_reconnects_total") == 0
        shop.assert_nothing_is_dead()


def test_a_trigger_without_an_end_holds_up_nobody_on_sqlite(broker, folder, queues, client):
    database = Sqlite(folder)
    with Service(broker.url, database.url, queues):
        bad = [client.add(10) for _ in range(5)]
        good = client.add(1_000)
        numbers = "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers)"
        trigger = (
            f"CREATE TRIGGER endless BEFORE UPDATE ON inventory WHEN NEW.id <> {good}"
            f" BEGIN SELECT count(*) FROM ({numbers} SELECT n FROM numbers); END"
        )
        database.execute(trigger)
        for product in bad:
            order = {"order_id": f"bad {product}", "product_id": product, "quantity": 1}
            client.publish(queues.order, order, reply_to=client.reply_to)
        for number in range(20):
            order = {"order_id": number, "product_id": good, "quantity": 1}
            assert client.order(order).json["success"]
        assert not client.inbox
        database.execute("DROP TRIGGER endless")
        assert all(reply.json["success"] for reply in client.receive_all(len(bad)))
