"""The console in a real browser, against the real service."""

import contextlib
import dataclasses
import json
import re
import shlex
import socket
import urllib.parse

import pytest
from selenium.webdriver.common.keys import Keys

from browser import Page, open_browser
from client import Client, new_id
from database import Postgres, Sqlite
from service import Queues, Service, run

ALL = len(Queues().requests)
VIEWS = ("#/", "#/stock", "#/items/1", "#/orders", "#/orders/A-17?product_id=1", "#/dead-letters")
LONG = 10_000 * "x"
SCRIPT = "<script>window.harmed = 1</script><img src=x onerror='window.harmed = 1'>"
QUOTES = "\"'`${window.harmed=1}\\"
RIGHT_TO_LEFT = "שלום \u202egpj.exe"
CONTROLS = "\x1b[31mred\x07\x7f\u009b\u200b"
HOSTILE = {
    "script": SCRIPT,
    "quotes": QUOTES,
    "right to left": RIGHT_TO_LEFT,
    "controls": CONTROLS,
}


@pytest.fixture(scope="module")
def driver(folder):
    with open_browser(folder) as driver:
        yield driver


@pytest.fixture
def page(driver):
    page = Page(driver)
    yield page
    assert page.problems() == []


# The browser says so itself where an answer is 503, 404, or does not come.
OUTAGE = (r"status of 503", r"ERR_(CONNECTION_REFUSED|CONNECTION_RESET|EMPTY_RESPONSE)")


class Shop:
    """A service with a client."""

    def __init__(self, service, client, database):
        self.service = service
        self.client = client
        self.database = database

    def add(self, quantity=10, **members):
        reply = self.client.item({"quantity": quantity, **members}).json
        assert reply["success"], reply
        return reply["id"]

    def order(self, product, quantity=1, order_id=None, **members):
        order = {"order_id": new_id() if order_id is None else order_id}
        order |= {"product_id": product, "quantity": quantity, **members}
        return self.client.order(order).json

    def call(self, kind, request):
        reply = self.client.call(getattr(self.client.queues, kind), request).json
        assert reply["success"], reply
        return reply

    def adjust(self, product, change, reason=None):
        self.call(
            "adjust",
            {
                "adjustment_id": new_id(),
                "product_id": product,
                "change": change,
                "reason": reason,
            },
        )


@contextlib.contextmanager
def open_shop(broker, database):
    queues = Queues.fresh()
    with Service(broker.url, database.url, queues) as service:
        with Client(broker.url, queues) as client:
            yield Shop(service, client, database)


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def shop(request, broker, folder):
    if request.param == "sqlite":
        database = Sqlite(folder)
    else:
        database = Postgres.new_schema(request.getfixturevalue("postgres").url)
    with open_shop(broker, database) as opened:
        yield opened


def order_address(order_id, product):
    written = order_id if isinstance(order_id, str) else json.dumps(order_id)
    return f"#/orders/{urllib.parse.quote(written, safe='')}?product_id={product}"


def stock_chart(page):
    """The same in words."""
    return page.find("main canvas").get_attribute("aria-label")


# The views.


def test_now_tells_the_state_of_each_queue_and_which_instance_this_is(shop, page):
    product = shop.add(1000)
    page.open(shop.service)
    page.wait_for(lambda: page.column("Condition") == ALL * ["●Consuming"], "all consume")
    queues = shop.client.queues
    for name in queues.requests.values():
        assert name in page.text
    page.wait_for_text("Ready", socket.gethostname(), f"process {shop.service.process.pid}")
    for _ in range(20):
        shop.order(product)
    rates = 'main canvas[aria-label^="Requests per second: now"]'
    page.wait_for(lambda: page.script(f"return Boolean(document.querySelector('{rates}'))"), "rate")
    page.wait_for(lambda: "median" in page.find("main figure + figure").text, "latency")


def test_now_tells_what_is_held(shop, page):
    product = shop.add(10)
    shop.order(product, 2, hold_seconds=3600)
    page.open(shop.service)
    page.wait_for(
        lambda: re.search(r"Held stock\s+Open\s+[1-9]", page.text), "a hold is counted"
    )


def test_stock_is_searched_sorted_and_paged(shop, page):
    word = f"word{new_id()[:8]}"
    for number in range(120):
        quantity = {7: 0, 8: 2}.get(number, 50)
        shop.client.publish(
            shop.client.queues.item,
            {"quantity": quantity, "description": f"{word} {number}", "low_stock": 5},
            reply_to=shop.client.reply_to,
        )
    shop.client.receive_all(120)
    page.open(shop.service, "#/stock")
    page.wait_for_text("Page 1")
    page.type("#search", word.upper())
    page.wait_for(lambda: word.upper() in page.driver.current_url, "it is searched")
    page.wait_for(
        lambda: page.column("Description") == [f"{word} {n}" for n in range(50)], "the first page"
    )
    page.click("Next page")
    page.wait_for_text("Page 2: 50 products")
    page.click("Next page")
    page.wait_for_text("Page 3: 20 products, the last page")
    assert page.column("Description")[-1] == f"{word} 119"
    page.click("Previous page")
    page.wait_for_text("Page 2: 50 products")
    page.driver.back()
    page.wait_for_text("Page 3: 20 products, the last page")
    page.find("#sort").send_keys("Out and low")
    page.wait_for(lambda: page.column("Description")[:2] == [f"{word} 7", f"{word} 8"], "scarce")
    assert page.column("Level")[:3] == ["■Out", "▲Low", "●In stock"]
    page.type("#search", f"{word} nothing like it")
    page.wait_for_text("No product is found.")


def test_a_product_tells_what_became_of_it_and_goes_on_by_itself(shop, page):
    product = shop.add(10, description="Blue T-shirt", low_stock=3)
    order = new_id()
    shop.order(product, 4, order)
    shop.order(product, 100)
    shop.call("cancel", {"order_id": order, "product_id": product})
    shop.adjust(product, -8, "broken")
    page.open(shop.service, f"#/items/{product}")
    page.wait_for(lambda: len(page.column("Kind")) == 5, "five entries")
    assert page.column("Kind") == ["Adjustment", "Cancellation", "Order", "Order", "Opening"]
    assert page.column("Change") == ["−8", "+4", "0", "−4", "+10"]
    assert page.column("Left") == ["2", "10", "6", "6", "10"]
    assert page.column("Reason")[0] == "broken"
    assert "Not enough stock" in page.column("Outcome")[2]
    page.wait_for_text("Blue T-shirt", "Low", "These are all: 5 entries.")
    assert "now 2, at least 2, at most 10" in stock_chart(page)
    shop.order(product, 2)
    page.wait_for(lambda: page.column("Left")[:2] == ["0", "2"], "the new entry")
    page.wait_for_text("Out")


def test_the_chart_goes_on_from_what_was_archived(shop, page):
    product = shop.add(1000)
    shop.order(product, 3)
    for day, outcome in (("01", "opening"), ("02", "accepted")):
        shop.database.execute(
            f"UPDATE inventory_ledger SET decided_at = '2026-01-{day} 00:00:00.000000'"
            f" WHERE product_id = {product} AND outcome = '{outcome}'"
        )
    archived = run("archive", "--older-than", "1d", DATABASE_URL=shop.database.url)
    assert archived.returncode == 0, archived.stderr
    page.open(shop.service, f"#/items/{product}")
    kinds = ["Balance brought forward", "Opening"]
    page.wait_for(lambda: page.column("Kind") == kinds, "the balance")
    assert "now 997, at least 997, at most 1,000" in stock_chart(page)
    shop.order(product, 2)
    page.wait_for(lambda: len(page.column("Kind")) == 3, "the new entry")
    assert "now 995, at least 995, at most 1,000" in stock_chart(page)


def test_older_entries_come_on_demand_and_stay(shop, page):
    product = shop.add(1000)
    for number in range(149):
        shop.client.publish(
            shop.client.queues.order,
            {"order_id": f"n{number}", "product_id": product, "quantity": 1},
            reply_to=shop.client.reply_to,
        )
    shop.client.receive_all(149)
    page.open(shop.service, f"#/items/{product}")
    page.wait_for(lambda: len(page.column("Id")) == 100, "a page")
    page.click("Older entries")
    page.wait_for(lambda: len(page.column("Id")) == 150, "all")
    page.wait_for_text("These are all: 150 entries.")
    shop.order(product, 1, "the newest")
    page.wait_for(lambda: page.column("Id")[0] == "the newest", "the new entry")
    assert len(page.column("Id")) == 151


def test_a_product_that_is_not_there_is_told(shop, page):
    page.allowed = (r"status of 404",)
    page.open(shop.service, "#/items/9007199254740991")
    page.wait_for_text("There is no product 9007199254740991.", "The ledger has no entry")


def test_an_order_tells_whether_it_is_held_and_until_when(shop, page):
    product = shop.add(10)
    order = f"A-{new_id()}"
    shop.order(product, 2, order, hold_seconds=3600)
    page.open(shop.service, order_address(order, product))
    page.wait_for(lambda: "Held until" in "".join(page.texts(".headline")), "held")
    shop.call("confirm", {"order_id": order, "product_id": product})
    page.wait_for(lambda: page.texts(".headline") == ["●Confirmed"], "confirmed")
    shop.call("cancel", {"order_id": order, "product_id": product})
    page.wait_for(lambda: page.texts(".headline") == ["○Cancelled"], "cancelled")
    assert page.column("Kind") == ["Cancellation", "Confirmation", "Order"]


def test_a_number_and_a_text_of_digits_are_two_orders(shop, page):
    product = shop.add(10)
    number = 10**12 + product
    shop.order(product, 1, number)
    page.open(shop.service, "#/orders")
    page.wait_for(lambda: page.texts("#order-id") == [""], "the form")
    page.type("#order-id", f'"{number}"')
    page.type("#product-id", f"{product}\n")
    page.wait_for_text("Nothing is known of this order for this product.")
    page.click(f"Look for the number {number}")
    page.wait_for(lambda: page.texts(".headline") == ["●Accepted"], "the number")
    shop.order(product, 100, str(number))
    page.type("#order-id", f'"{number}"\n')
    page.wait_for(lambda: page.texts(".headline") == ["▲Not enough stock"], "the text")
    assert page.column("Id") == [f'"{number}"']


def test_two_lines_of_an_order_are_told_apart(shop, page):
    product, order = shop.add(10), new_id()
    shop.order(product, 1, order, line_id=1)
    shop.order(product, 2, order, line_id="1")
    page.open(shop.service, f"#/items/{product}")
    page.wait_for(lambda: len(page.column("Id")) == 3, "the lines")
    page.script("document.querySelector('main tbody a').click()")
    page.wait_for(lambda: page.column("Quantity") == ["2"], "the later line")
    assert page.find("#line-id").get_attribute("value") == '"1"'


def test_dead_letters_are_shown_with_the_command_that_replays_each(shop, page, broker):
    queues, note = shop.client.queues, new_id()
    shop.client.order(
        {"order_id": 1, "product_id": 1, "quantity": "two", "note": note},
        message_id=f"m-{note}",
        headers={"shop": "Köln"},
    )
    page.open(shop.service, "#/dead-letters")
    page.wait_for(lambda: "quantity" in "".join(page.texts(".letters summary")[:1]), "the reason")
    page.script("document.querySelector('.letters summary').click()")
    page.wait_for_text(note, f"m-{note}", "error-reason", "Köln")
    counted = lambda: dict(zip(page.column("Queue"), page.column("Letters"), strict=True))
    count = str(shop.client.count(queues.order_dead))
    page.wait_for(lambda: counted().get(queues.order_dead) == count, "the count")
    command = page.texts(".letters .command code")[0]
    words = shlex.split(command)
    assert words[:3] == ["inventory-service", "dead-letters", "replay"]
    done = run(*words[1:], "--dry-run", *queues.options(), AMQP_URL=broker.url)
    assert done.returncode == 0, done.stderr
    assert "inventory-service dead-letters list" in page.text


# What others wrote.


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_what_clients_wrote_is_text_wherever_it_is_shown(shop, page, text):
    product = shop.add(10, description=text)
    shop.order(product, 1, text)
    if text is not CONTROLS:  # which a reason may not have
        shop.adjust(product, 1, text)
    shop.client.order(
        {"order_id": text, "product_id": 1, "quantity": text},
        message_id=text[:100],
        headers={"h": text},
    )
    for view in (
        f"#/stock?search={urllib.parse.quote(text[:5])}",
        f"#/items/{product}",
        order_address(text, product),
        "#/dead-letters",
    ):
        page.open(shop.service, view)
        page.wait_for(lambda: page.texts("main bdi.foreign"), view)
        page.script("document.querySelectorAll('.letters summary').forEach((e) => e.click())")
        assert page.is_unharmed()
        shown = "".join(page.texts("main"))
        assert not set("\x1b\x07\x7f\u009b\u200b\u202e") & set(shown)
    page.open(shop.service, f"#/items/{product}")
    seen = re.sub("[\x00-\x1f\x7f-\x9f\u200b\u202e]", lambda m: f"\\u{ord(m[0]):04x}", text)
    page.wait_for(lambda: page.texts(".description") == [seen], "the description")
    assert seen in "".join(page.column("Id"))


def test_names_of_queues_are_text_too(broker, folder, page):
    """Settings refuse control characters in them, and nothing else."""
    prefix = f"<img src=x onerror='window.harmed=1'> \"$(id)\" \u202e{new_id()[:8]}"
    queues = Queues(*(f"{prefix}.{field.default}" for field in dataclasses.fields(Queues)))
    with Service(broker.url, Sqlite(folder).url, queues) as service:
        with Client(broker.url, queues) as client:
            client.order({"order_id": 1, "product_id": 1, "quantity": "two"})
            page.open(service)
            page.wait_for(lambda: page.column("Dead letters")[:1] == ["1"], "the letter is counted")
            assert page.column("Waiting") == ALL * ["0"]
            page.open(service, "#/dead-letters")
            page.wait_for(lambda: page.texts(".letters summary"), "the letter")
            assert page.is_unharmed()
            assert "\u202e" not in "".join(page.texts("body"))


def test_an_order_id_that_is_a_path_leads_to_its_order(shop, page):
    product = shop.add(100)
    for order_id in (".", "..", "a/b", "a?b=c#d", "100%", "%2e%2e", '"', '"42"', " 42", "+1", "-0"):
        shop.order(product, 1, order_id)
        page.open(shop.service, f"#/items/{product}")
        page.wait_for(lambda: page.texts("main tbody a"), "the ledger")
        page.script("document.querySelector('main tbody a').click()")
        page.wait_for(lambda: page.texts(".headline") == ["●Accepted"], order_id)


def test_a_long_text_is_cut_and_shown_as_a_whole_on_demand(shop, page):
    product = shop.add(1, description=LONG)
    page.resize(360, 740)
    page.open(shop.service, f"#/items/{product}")
    page.wait_for_text("Show all 10,000 characters")
    assert len(page.texts(".description bdi")[0]) < 300
    page.click("Show all 10,000 characters")
    assert page.texts(".description bdi") == [LONG]
    shop.adjust(product, 1)
    page.wait_for(lambda: len(page.column("Kind")) == 2, "it was read again")
    assert page.texts(".description bdi") == [LONG]
    assert page.script("return document.documentElement.scrollWidth") == 360


# Outages.


def test_an_outage_of_the_database_is_seen_and_over(broker, own_postgres, page):
    page.allowed = OUTAGE
    with open_shop(broker, Postgres.new_schema(own_postgres.url)) as shop:
        product = shop.add(10, description="Blue T-shirt")
        page.open(shop.service, f"#/items/{product}")
        page.wait_for_text("Blue T-shirt")
        own_postgres.stop()
        try:
            page.wait_for_text("What is shown is of", "This page tries again by itself.")
            assert "Blue T-shirt" in page.text
            page.open(shop.service, "#/stock")
            page.wait_for_text("There is nothing to show yet.")
            shop.client.publish(
                shop.client.queues.order,
                {"order_id": 1, "product_id": product, "quantity": 1},
                reply_to=shop.client.reply_to,
            )
            page.open(shop.service)
            page.wait_for_text("Not ready", "Database unavailable", f":{own_postgres.port}")
            page.open(shop.service, "#/stock")
            page.wait_for_text("There is nothing to show yet.")
        finally:
            own_postgres.start()
        page.wait_for_text("Blue T-shirt")
        page.wait_for_no_text("tries again")
        page.wait_for_no_text("Not ready")


def test_an_outage_of_the_broker_is_seen_and_over(own_broker, folder, page):
    page.allowed = OUTAGE
    queues = Queues.fresh()
    with Service(own_broker.url, Sqlite(folder).url, queues) as service:
        page.open(service)
        page.wait_for(lambda: page.column("Condition") == ALL * ["●Consuming"], "all consume")
        own_broker.stop()
        try:
            page.wait_for_text("Not ready", "Broker unavailable", "not known")
        finally:
            own_broker.start()
        page.wait_for(lambda: page.column("Condition") == ALL * ["●Consuming"], "all consume")
        page.wait_for_no_text("Not ready")


def test_a_service_that_is_gone_is_told_and_comes_back(broker, folder, page):
    page.allowed = OUTAGE
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    queues, database = Queues.fresh(), Sqlite(folder)
    options = [f"--http-listen={address}"]
    with Service(broker.url, database.url, queues, options) as service:
        page.open(service, "#/stock")
        page.wait_for_text("Page 1", "Ready")
    page.wait_for_text("The service cannot be reached.", "Not reached")
    with Service(broker.url, database.url, queues, options):
        page.wait_for_no_text("cannot be reached")
        page.wait_for_no_text("Not reached")


# People.


def test_all_is_reached_by_keyboard_and_the_focus_is_seen(shop, page):
    word = f"key{new_id()[:8]}"
    product = shop.add(1, description=word)
    page.open(shop.service, "#/stock")
    page.wait_for_text("Page 1")
    page.press(Keys.TAB)
    assert page.focused() == "skip"
    page.press(Keys.ENTER)
    assert page.focused() == "main" and page.driver.current_url.endswith("#/stock")
    page.press(Keys.TAB)
    assert page.focused() == "search"
    outline = "return getComputedStyle(document.activeElement).outlineStyle"
    assert page.script(outline) == "solid"
    page.press(word)
    page.wait_for(lambda: page.column("Product") == [str(product)], "found")
    assert page.focused() == "search"
    for _ in range(60):
        page.press(Keys.TAB)
        assert page.script(outline) != "none"
        if page.focused() == str(product):
            break
    page.press(Keys.ENTER)
    page.wait_for(lambda: page.focused() == f"Product {product}", "the heading has the focus")
    page.driver.back()
    page.wait_for(lambda: page.focused() == "Stock", "the heading has the focus")


@pytest.mark.parametrize("view", VIEWS)
def test_a_phone_shows_each_view_without_scrolling_sideways(shop, page, view):
    shop.order(1, 1, "A-17")
    page.resize(360, 740)
    page.open(shop.service, view)
    page.wait_for(lambda: "Reading" not in page.text and page.texts("h1"), "it is shown")
    assert page.script("return document.documentElement.scrollWidth") <= 360


CONTRAST = """
const luminance = ([r, g, b]) => [r, g, b]
  .map((c) => c / 255)
  .map((c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
  .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
const colour = (text) => text.match(/[0-9.]+/g).map(Number);
const ground = (e) => {
  for (; e; e = e.parentElement) {
    const found = colour(getComputedStyle(e).backgroundColor);
    if (found.length === 3 || found[3] === 1) return found;
  }
  return [255, 255, 255];
};
const poor = [];
for (const e of document.querySelectorAll('body *')) {
  const isText = [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
  if (!isText || e.disabled || e.tagName === 'OPTION') continue;
  const [a, b] = [colour(getComputedStyle(e).color), ground(e)].map(luminance);
  const [high, low] = [Math.max(a, b), Math.min(a, b)];
  if ((high + 0.05) / (low + 0.05) < 4.5) poor.push(e.outerHTML.slice(0, 100));
}
return poor;
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_in_the_light_and_in_the_dark(shop, page, scheme):
    shop.order(1, 1, "A-17")
    page.resize(1280, 900, scheme)
    for view in VIEWS:
        page.open(shop.service, view)
        page.wait_for(lambda: "Reading" not in page.text and page.texts("h1"), "it is shown")
        assert page.script(CONTRAST) == [], view


@pytest.mark.parametrize("view", VIEWS)
def test_tables_and_fields_have_names(shop, page, view):
    page.open(shop.service, view)
    page.wait_for(lambda: "Reading" not in page.text and page.texts("h1"), "it is shown")
    assert page.script("return [...document.querySelectorAll('table')].every((t) => t.caption)")
    named = "return [...document.querySelectorAll('input, select')].every((e) => e.labels.length)"
    assert page.script(named)
    assert len(page.texts("h1")) == 1
    assert len(page.texts("header a[aria-current=page]")) == 1


# Security.


def test_the_page_loads_nothing_from_outside_and_runs_nothing_inline(shop, page):
    page.open(shop.service)
    page.wait_for_text("Consuming")
    loaded = page.script("return performance.getEntriesByType('resource').map((e) => e.name)")
    assert loaded and all(name.startswith(page.base) for name in loaded)
    inline = "return [...document.querySelectorAll('script:not([src]), style, [style]')].length"
    # Chart.js sets the size of its canvas through the object model, which the policy allows.
    assert page.script(inline) == page.script("return document.querySelectorAll('canvas').length")
    refused = page.driver.execute_async_script(
        "const done = arguments[0];"
        "document.addEventListener('securitypolicyviolation', (e) => done(e.effectiveDirective));"
        "const script = document.createElement('script');"
        "script.textContent = 'window.harmed = 1';"
        "document.head.append(script);"
    )
    assert refused.startswith("script-src") and page.is_unharmed()
    page.allowed = (r"Content Security Policy",)  # what was just refused


def test_with_a_token_the_browser_asks_once(broker, folder, page):
    secret = folder / "console-token"
    secret.write_text("s3cret")
    options = [f"--http-token-file={secret}"]
    with Service(broker.url, Sqlite(folder).url, Queues.fresh(), options) as service:
        page.driver.get(f"http://anna:s3cret@127.0.0.1:{service.http_port}/")
        page.wait_for(lambda: page.column("Condition") == ALL * ["●Consuming"], "all consume")
        page.open(service, "#/stock")
        page.wait_for_text("Page 1")
        page.allowed = (r"status of 401",)
        refused = page.driver.execute_async_script(
            "const done = arguments[0];"
            "fetch('/status', { credentials: 'omit' }).then(({ status }) => done(status));"
        )
        assert refused == 401


def test_an_address_that_is_none_is_told(shop, page):
    for view in ("#/nothing", "#/items/0", "#/items/x", "#/items/%", "#/a/b/c"):
        page.open(shop.service, view)
        page.wait_for_text("There is no such page")
