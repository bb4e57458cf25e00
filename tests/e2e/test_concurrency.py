"""Four instances on one PostgreSQL: every order is answered, and each is decided once."""

import collections
import contextlib
import json
import random

from client import Client, new_id
from database import Postgres, stock
from service import Service

INSTANCES = 4
ORDERS = 20_000  # messages, of which a quarter are duplicates
STOCK = 2_000  # of each of five products: about a fifth of what is asked for


def test_four_instances_decide_each_order_once(broker, postgres, queues):
    database = Postgres.new_schema(postgres.url)
    chance = random.Random(20261123)
    with contextlib.ExitStack() as stack:
        for _ in range(INSTANCES):
            stack.enter_context(Service(broker.url, database.url, queues))
        client = stack.enter_context(Client(broker.url, queues))
        products = [client.add(STOCK) for _ in range(5)]
        orders = [
            {
                "order_id": new_id() if chance.random() < 0.5 else number,
                "product_id": chance.choice(products),
                "quantity": chance.randint(1, 5),
            }
            for number in range(ORDERS * 3 // 4)
        ]
        messages = orders + chance.choices(orders, k=ORDERS - len(orders))
        chance.shuffle(messages)
        for message in messages:
            client.publish(queues.order, json.dumps(message).encode(), reply_to=client.reply_to)

        replies = collections.defaultdict(list)
        for reply in client.receive_all(ORDERS):
            replies[reply.json["order_id"]].append(reply)
        assert client.count(queues.order) == 0

    sent = collections.Counter(message["order_id"] for message in messages)
    assert {order_id: len(answers) for order_id, answers in replies.items()} == sent
    accepted = collections.Counter()
    for order in orders:
        answers = replies[order["order_id"]]
        assert len({answer.body for answer in answers}) == 1
        assert [answer.replayed for answer in answers].count(False) == 1
        if answers[0].json["success"]:
            accepted[order["product_id"]] += order["quantity"]
        else:
            assert answers[0].json["message"] == "Not enough inventory"
    left = stock(database)
    assert {product: accepted[product] + left[product] for product in products} == {
        product: STOCK for product in products
    }
    assert all(quantity >= 0 for quantity in left.values())
    assert sum(left.values()) < 5 * len(products), "there was too little for all"
