"""A world of real processes: runs services with traffic and faults, and checks the result."""

import collections
import contextlib
import random
import time

import pika

import bad_things
import faults
import promises
from client import Client, new_id
from listener import Listener
from service import Service, run
from traffic import Requests, Traffic
from waiting import wait_for

FEW = {"products": 3, "quantity": 500}  # most orders are for these
MANY = {"products": 60, "quantity": 40}
DRAIN_S = 300  # generous: the machine may be busy with other work
HEARING_S = 60  # to hear the events in the listener's queue


class World:
    """The parts differ by scenario: `broker` or `nodes`, and perhaps gates and a database server."""

    def __init__(self, queues, database, broker_urls, service_urls, **parts):
        self.queues = queues
        self.database = database  # seen from outside, not through a gate
        self.broker_urls = broker_urls  # for the traffic
        self.service_urls = service_urls  # (AMQP_URL, DATABASE_URL), or several for the services in turn
        self.queue_type = parts.pop("queue_type", "classic")
        self.instances = parts.pop("instances", 2)
        self.events = parts.pop("events", None)  # levels or all, if there is a listener
        self.requests = parts.pop("requests", Requests)
        self.make_service = parts.pop("make_service", lambda _, *arguments: Service(*arguments))
        self.partitions = parts.pop("partitions", 0)  # 0: an undivided stock
        self.listener = None
        self.figures = collections.Counter()
        self.services = []
        self.traffic = None
        for name, part in parts.items():
            setattr(self, name, part)

    def start_service(self, number):
        options = [f"--queue-type={self.queue_type}"]
        if self.events:
            options += [f"--events-exchange={self._exchange()}", f"--events={self.events}"]
        amqp_url, *database_urls = self.service_urls
        database_url = database_urls[number % len(database_urls)]
        service = self.make_service(number, amqp_url, database_url, self.queues, options)
        self.services[number] = service.start()

    def _exchange(self):
        return f"{self.queues.order}.events"

    def assert_services_run(self):
        for number, service in enumerate(self.services):
            status = service.process.poll()
            assert status is None, f"service {number} ended by itself, with {status}"

    def run(self, seed, make_faults, name):
        """Runs traffic with faults, lets it drain, and checks the promises. Returns the figures."""
        began = time.monotonic()

        def say(text):
            print(f"{name}, seed {seed}, {time.monotonic() - began:5.1f} s: {text}", flush=True)

        chance = random.Random(f"{name} {seed}")
        self.services = [None] * self.instances
        with contextlib.ExitStack() as stack:
            stack.callback(self._kill_services)
            if self.events:
                self.listener = Listener(
                    self.broker_urls, self._exchange(), self.queue_type, self.events
                )
                stack.enter_context(self.listener)
            for number in range(self.instances):
                self.start_service(number)
            with Client(self.broker_urls[0], self.queues) as client:
                self.services[0].wait_ready()
                self.passes_flags_on = bad_things.passes_flags_on(client)
                few, many = (
                    self._add(client, of["products"], of["quantity"]) for of in (FEW, MANY)
                )
            self.products = list(many)
            self.requests_of_faults = Requests(
                random.Random(f"faults {name} {seed}"), list(few), list(many)
            )
            requests = self.requests(
                random.Random(f"requests {name} {seed}"), list(few), list(many)
            )
            self.traffic = Traffic(self.broker_urls, self.queues, self.queue_type, requests)
            stack.enter_context(self.traffic)
            self.traffic.wait_for_answers(100, faults.RECOVERY_S)
            make_faults(self, chance, say)
            say("no more faults")
            try:
                self.traffic.drain(DRAIN_S, lambda: self._send_kept_replies_on(say))
            except AssertionError:
                say(f"the queues hold {self._look_at_queues()}")
                say(f"the ledger has {self._look_at_the_ledger()} of what is not answered")
                for number, service in enumerate(self.services):
                    status, text = service.get("/readyz?verbose")
                    say(f"service {number} is ready: {status}, {text}")
                raise
            # An answered request may come again if a fault has prevented its acknowledgement, and
            # one that is answered elsewhere may still wait for that.
            self._wait_for_ended_holds(say)
            self._wait_for_empty_queues()
            for number in range(self.instances):
                self.stop_service(number)
            self._wait_for_events(say)
        self._check(few | many)
        say(f"every promise held for {len(self.traffic.sent)} requests")
        self.figures["seeds"] = 1
        return self.figures

    def bad_request(self, meeting):
        """A request that meets a bad thing."""
        requests = self.requests_of_faults
        if meeting.properties is not pika.BasicProperties and self.passes_flags_on:
            return requests.undecodable(meeting.properties)
        if meeting.reply_to:
            return requests.elsewhere(meeting.reply_to, meeting.product)
        return requests.order_for(meeting.product)

    def _add(self, client, products, quantity):
        item = {"quantity": quantity, "low_stock": quantity // 4}
        for _ in range(products):
            client.publish(
                client.queues.item, item, reply_to=client.reply_to, message_id=new_id()
            )
        return {reply.json["id"]: quantity for reply in client.receive_all(products)}

    def stop_service(self, number):
        service = self.services[number]
        service.wait_for_log("inventory-service ")  # from then on it handles signals
        status = service.stop()
        assert status == 0, f"inventory-service ended with {status}"

    def _kill_services(self):
        for service in self.services:
            if service and service.process.poll() is None:
                service.process.kill()
                service.process.wait()

    def _send_kept_replies_on(self, say):
        for queue in self._request_queues():
            kept = f"{queue}.undelivered"
            options = [*self.queues.options(), f"--queue={kept}"]
            done = run(
                "dead-letters", "replay", *options, AMQP_URL=self.service_urls[0], **self._partition()
            )
            if "has the service been started" in done.stderr:
                continue  # there is no such queue if no reply was kept
            assert done.returncode == 0, done.stdout + done.stderr
            say(f"sent on: {done.stdout.strip()}")
            self.figures["rounds in which an operator sent kept replies on"] += 1

    def _queues_of(self, name):
        """The queues of a kind of request, whose dead letters are checked too."""
        queue = getattr(self.queues, name)
        divided = [f"{queue}.{number}" for number in range(self.partitions)]
        if name == "expiry" and divided:
            return divided  # routers do not consume the undivided queue
        return [queue, *divided]

    def _partition(self):
        """The variable that makes commands work on all partitions."""
        return {"INVENTORY_PARTITION": f"all/{self.partitions}"} if self.partitions else {}

    def _request_queues(self):
        return [queue for name in promises.INVALID for queue in self._queues_of(name)]

    def _look_at_queues(self):
        queues = [*self._request_queues(), self.queues.order_response, self.traffic.reply_to]
        what = "messages_ready, messages_unacknowledged, consumers"
        return {queue: self._queue_info(queue, what) for queue in queues}

    def _look_at_the_ledger(self):
        missing = [self.traffic.sent[key] for key in self.traffic.unanswered()]
        identities = [identity for one in missing if one.order for _, identity in one.keys]
        return self.database.query(
            "SELECT product_id, identity, outcome, decided_at FROM inventory_ledger WHERE identity"
            f" IN ({', '.join(repr(identity) for identity in [*identities[:20], ''])})"
        )

    def _queue_info(self, queue, what):
        return self.broker.evaluate(
            f'rabbit_amqqueue:info(element(2, rabbit_amqqueue:lookup(rabbit_misc:r(<<"/">>,'
            f' queue, <<"{queue}">>))), [{what}])'
        )

    def _wait_for_ended_holds(self, say):
        """All holds were short: none stays open."""
        began = time.monotonic()
        count = "SELECT count(*) FROM inventory_hold"
        wait_for(lambda: self.database.query(count) == [(0,)], "no hold is open", DRAIN_S)
        say(f"no hold is open {time.monotonic() - began:.1f} s after the last answer")

    def _wait_for_empty_queues(self):
        """Counts unacknowledged messages too."""
        for queue in self._request_queues():
            wait_for(
                lambda queue=queue: self._queue_info(queue, "messages") == "[{messages, 0}]",
                f"{queue} is empty",
                DRAIN_S,
            )

    def _wait_for_events(self, say):
        """All requests are acknowledged, so all their events are in the listener's queue."""
        if not self.listener:
            return
        began = time.monotonic()
        books = promises.Books.read(self.database)
        self.listener.wait(lambda: not any(promises.wrongly_told(self.listener, books)), HEARING_S)
        say(f"{self.events} was told {time.monotonic() - began:.1f} s after the services' end")

    def _check(self, opening):
        with Client(self.broker_urls[0]) as client:
            self._wait_for_empty_queues()  # also of what instances had not acknowledged at their end
            dead = {name: set() for name in promises.INVALID}
            for name, letters in dead.items():
                for queue in self._queues_of(name):
                    if client.exists(f"{queue}.dlq"):
                        found = _take_all(client, f"{queue}.dlq")
                        letters.update(message.properties.correlation_id for message in found)
                    client.channel.queue_delete(f"{queue}.dlq")
                    client.channel.queue_delete(queue)
            for queue in (*vars(self.queues).values(), self.traffic.reply_to):
                client.channel.queue_delete(queue)
            if self.listener:
                self.listener.remove(client.channel)
        verified = run("verify", DATABASE_URL=self.database.url, **self._partition())
        assert verified.returncode == 0, verified.stdout + verified.stderr
        books = promises.Books.read(self.database)
        self.figures.update(promises.check(self.traffic, opening, books, dead, self.listener))


def _take_all(client, queue):
    client.inbox.clear()
    count = client.count(queue)
    client.consume(queue)
    return client.receive_all(count)
