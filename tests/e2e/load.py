"""Many orders over connections that may break, and the check that each was decided once."""

import collections
import json
import threading

import pika

from service import DEADLINE_S

BATCH = 50  # orders in a transaction of the broker; one that breaks is published again as a whole


class Load:
    """Publishes orders until the broker has taken each, and collects replies, in two threads."""

    def __init__(self, url, queues, orders):
        self.parameters = pika.URLParameters(url)
        self.queue = queues.order
        self.reply_to = f"{queues.order}.load"
        self.orders = orders
        self.replies = collections.defaultdict(list)  # by order id
        self.news = threading.Condition()
        self.failure = None
        self.stopping = threading.Event()
        self.threads = [
            threading.Thread(target=self._again_and_again, args=(work,), daemon=True)
            for work in (self._publish, self._receive)
        ]

    def __enter__(self):
        self.unpublished = [
            self.orders[start : start + BATCH] for start in range(0, len(self.orders), BATCH)
        ]
        with pika.BlockingConnection(self.parameters) as connection:
            connection.channel().queue_declare(self.reply_to, durable=True)
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        for thread in self.threads:
            thread.join(timeout=DEADLINE_S)

    def wait_for_answers(self, count, deadline_s=3 * DEADLINE_S):
        """Waits until that many order ids are answered."""
        with self.news:
            self.news.wait_for(
                lambda: len(self.replies) >= count or self.failure, timeout=deadline_s
            )
            if self.failure:
                raise self.failure
            assert len(self.replies) >= count, (
                f"{len(self.replies)} of {count} orders were answered within {deadline_s} s; "
                f"{sum(map(len, self.unpublished))} could not be published; {self._counts()}"
            )

    def wait_for_all(self):
        self.wait_for_answers(len({order["order_id"] for order in self.orders}))

    def assert_decided_once(self, stock_before, stock_after):
        """Every order has one answer, and what was accepted is what is missing."""
        accepted = collections.Counter()
        products = {order["order_id"]: order for order in self.orders}
        for order_id, order in products.items():
            answers = {(reply["success"], reply["message"]) for reply in self.replies[order_id]}
            assert len(answers) == 1, f"order {order_id} was answered {answers}"
            if answers == {(True, "Inventory updated")}:
                accepted[order["product_id"]] += order["quantity"]
            else:
                assert answers == {(False, "Not enough inventory")}
        for product, before in stock_before.items():
            assert accepted[product] + stock_after[product] == before
            assert stock_after[product] >= 0

    def _again_and_again(self, work):
        while not self.stopping.is_set():
            try:
                with pika.BlockingConnection(self.parameters) as connection:
                    work(connection.channel())
                return
            except (pika.exceptions.AMQPError, OSError):
                self.stopping.wait(0.1)  # the broker is away
            except Exception as error:  # noqa: BLE001: raised again where it is waited for
                with self.news:
                    self.failure = error
                    self.news.notify_all()
                return

    def _counts(self):
        """What lies in the queues, for who reads why a wait failed."""
        with pika.BlockingConnection(self.parameters) as connection:
            channel = connection.channel()
            counts = [
                f"{queue} holds {method.message_count} for {method.consumer_count} consumers"
                for queue in (self.queue, self.reply_to)
                for method in [channel.queue_declare(queue, passive=True).method]
            ]
        return ", ".join(counts)

    def _publish(self, channel):
        channel.tx_select()
        properties = pika.BasicProperties(reply_to=self.reply_to, delivery_mode=2)
        while self.unpublished and not self.stopping.is_set():
            for order in self.unpublished[0]:
                channel.basic_publish("", self.queue, json.dumps(order).encode(), properties)
            channel.tx_commit()
            self.unpublished.pop(0)

    def _receive(self, channel):
        for method, _, body in channel.consume(self.reply_to, inactivity_timeout=0.2):
            if self.stopping.is_set():
                return
            if method is None:
                continue
            reply = json.loads(body)
            with self.news:
                self.replies[reply["order_id"]].append(reply)
                self.news.notify_all()
            channel.basic_ack(method.delivery_tag)
