#!/usr/bin/python3 -B
"""Makes the pictures of the console in README.md, docs/console/*.png, of the real page.

  tests/documents/screenshots.py [--seconds 120] [--output docs/console]

It runs a shop with a RabbitMQ, a PostgreSQL and a service of its own for that long, so that the
charts have something to show. Needs what `scripts/setup test` installs.
"""

import argparse
import math
import pathlib
import random
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/support"))

from browser import Page, open_browser  # noqa: E402 (the path comes first)
from client import Client  # noqa: E402
from database import Postgres  # noqa: E402
from servers import Server  # noqa: E402
from service import Queues, Service  # noqa: E402

TICK_S = 0.25
ITEMS = [  # description, quantity, low_stock
    ("Blue T-shirt, size M", 120, 40),
    ("Blue T-shirt, size L", 0, 40),
    ("Socks, wool, 3 pairs", 35, 50),
    ("Rain jacket, yellow", 4_000, 100),
    ("Walking boots, size 42", 5_400, 50),
    ("Walking boots, size 43", 48, 50),
    ("Cap, black", 23_000, None),
    ("Scarf, red", 75, 20),
    ("Gloves, leather, size 8", 4_100, 30),
    ("Belt, brown", 12_000, None),
]


class Shop:
    def __init__(self, client, seconds):
        self.client = client
        self.queues = client.queues
        self.seconds = seconds
        self.random = random.Random(15)
        self.orders = 0

    def stock_up(self):
        for description, quantity, low_stock in ITEMS:
            item = {"quantity": quantity, "description": description, "low_stock": low_stock}
            reply = self.client.item(item).json
            assert reply["success"], reply

    def order(self, product, quantity, **members):
        self.orders += 1
        order = {"order_id": f"A-{self.orders}", "product_id": product, "quantity": quantity}
        self.client.publish(self.queues.order, order | members, reply_to=self.client.reply_to)

    def adjust(self, number, product, change, reason):
        adjustment = {"adjustment_id": number, "product_id": product, "change": change}
        self.client.call(self.queues.adjust, adjustment | {"reason": reason})

    def sell(self):
        """For the time that was asked for: product 1 is sold, low, delivered, sold again."""
        started = time.monotonic()
        count = round(self.seconds / TICK_S)
        for tick in range(count):
            share = tick / count
            for _ in range(round(8 + 5 * math.sin(share * 9) + self.random.random() * 4)):
                self.order(self.random.choice((4, 5, 7, 9, 10)), 1)
            if self.random.random() < 60 / count:
                self.order(1, self.random.choice((2, 3)))
            if tick == round(count * 0.6):
                self.adjust("D-17", 1, 80, "delivery 17")
            self.wait_until(started + (tick + 1) * TICK_S)

    def wait_until(self, end):
        while (left := end - time.monotonic()) > 0:
            self.client.connection.process_data_events(time_limit=left)
        self.client.inbox.clear()

    def close_the_day(self):
        cancelled = {"order_id": "A-17", "product_id": 1}
        self.client.order({"order_id": "A-17", "product_id": 1, "quantity": 2})
        self.client.call(self.queues.cancel, cancelled)
        self.adjust("L-3", 1, -1, "damaged")
        self.client.order({"order_id": "B-4", "product_id": 1, "quantity": 500})
        self.client.order({"order_id": "B-5", "product_id": 1, "quantity": 2, "hold_seconds": 900})
        self.client.order({"order_id": "B-6", "product_id": 8, "quantity": "two"})


def take(page, service, view, shown, picture, size, scheme="light"):
    page.resize(*size, scheme)
    page.open(service, view)
    page.wait_for(lambda: page.script(f"return Boolean({shown})"), f"{view} is shown")
    page.script("return document.fonts.ready")
    page.driver.save_screenshot(str(picture))


def take_all(page, service, output):
    output.mkdir(parents=True, exist_ok=True)
    counted = "document.querySelector('table') && !document.body.innerText.includes('not known')"
    rows = "document.querySelectorAll('main tbody tr').length > 5"
    take(page, service, "#/", counted, output / "now.png", (1100, 1200))
    take(page, service, "#/items/1", rows, output / "product.png", (1100, 900))
    stock = "#/stock?sort=scarcity"
    take(page, service, stock, rows, output / "stock-phone-dark.png", (400, 900), "dark")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=120, help="that the shop is open")
    parser.add_argument("--output", type=pathlib.Path, default=ROOT / "docs/console")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        folder.chmod(0o755)  # PostgreSQL is another user
        with (
            Server("rabbitmq", folder / "rabbitmq") as broker,
            Server("postgres", folder / "postgres") as postgres,
            Service(broker.url, Postgres.new_schema(postgres.url).url, Queues()) as service,
            Client(broker.url, Queues()) as client,
        ):
            shop = Shop(client, options.seconds)
            shop.stock_up()
            shop.sell()
            shop.close_the_day()
            with open_browser(folder) as driver:
                page = Page(driver)
                take_all(page, service, options.output)
                problems = page.problems()
    assert not problems, problems


if __name__ == "__main__":
    main()
