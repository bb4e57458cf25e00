"""The command line: what it prints, and its exit status."""

import json
import pathlib
import re
import shlex
import subprocess
import time
import uuid

import pytest

from service import DEADLINE_S, PROGRAM, Service, environment, run

SECRET = "s3cret-w0rd"
HOLDS = (pathlib.Path(__file__).resolve().parents[2] / "docs/holds.md").read_text()


@pytest.fixture
def shop(broker, database, queues):
    """Runs the program against a service: its queues are given by environment."""
    with Service(broker.url, database.url, queues):
        yield lambda *arguments: run(*arguments, **variables(broker.url, queues))


def variables(url, queues):
    return {"AMQP_URL": url, **queues.variables()}


def one_line(text):
    return text.endswith("\n") and text.count("\n") == 1


def test_add_and_order(shop):
    added = shop("add", "--quantity", "10", "--description", "Blue T-shirt, size M")
    assert added.returncode == 0, added.stderr
    item = json.loads(added.stdout)
    assert item["success"] is True
    assert item["quantity"] == 10 and item["description"] == "Blue T-shirt, size M"

    product = str(item["id"])
    ordered = shop("order", "--product-id", product, "--quantity", "2", "--order-id", "123")
    assert ordered.returncode == 0, ordered.stderr
    assert json.loads(ordered.stdout) == {
        "order_id": 123,
        "success": True,
        "message": "Inventory updated",
        "order_data": {"order_id": 123, "product_id": item["id"], "quantity": 2},
    }

    rejected = shop("order", "--product-id", product, "--quantity", "9")
    assert rejected.returncode == 1
    reply = json.loads(rejected.stdout)
    assert reply["message"] == "Not enough inventory"
    assert str(uuid.UUID(reply["order_id"])) == reply["order_id"]


def succeed(done):
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_day_of_a_shop(shop):
    """Items with ids of their own, a delivery, a basket, its cancellation, a count."""
    for product in ("7", "8"):
        item = succeed(shop("add", "--quantity", "1", "--product-id", product, "--low-stock", "2"))
        assert item["id"] == int(product)
    taken = shop("add", "--quantity", "1", "--product-id", "7")
    assert taken.returncode == 1 and "Product already exists" in taken.stdout

    delivery = ["adjust", "--product-id", "7", "--adjustment-id", "d17", "--change", "+5"]
    for _ in range(2):  # the same delivery
        assert succeed(shop(*delivery, "--reason", "delivery 17")) == {
            "adjustment_id": "d17",
            "success": True,
            "message": "Inventory adjusted",
            "product_id": 7,
            "quantity": 6,
        }

    basket = ["order", "--order-id", "A-17", "--item", "7:6", "--item", "8:1"]
    assert succeed(shop(*basket))["message"] == "Inventory updated"
    late = shop("order", "--item", "7:1", "--item", "8:1", "--line-id", "1")
    assert late.returncode == 1
    assert json.loads(late.stdout)["items"] == [
        {"product_id": 7, "available": 0},
        {"product_id": 8, "available": 0},
    ]
    cancelled = succeed(shop("cancel", "--order-id", "A-17", "--item", "7", "--item", "8"))
    assert cancelled["items"] == [
        {"product_id": 7, "quantity": 6},
        {"product_id": 8, "quantity": 1},
    ]
    wrong = shop("cancel", "--order-id", "A-17", "--product-id", "7", "--quantity", "5")
    assert wrong.returncode == 1 and "Invalid cancellation" in wrong.stdout

    counted = ["adjust", "--product-id", "7", "--set-to", "5", "--expected"]
    assert succeed(shop(*counted, "6"))["quantity"] == 5
    changed = shop(*counted, "6")
    assert changed.returncode == 1
    assert json.loads(changed.stdout)["message"] == "Inventory has changed"


def test_a_hold_is_confirmed_or_given_back(shop):
    for product in ("7", "8"):
        succeed(shop("add", "--quantity", "5", "--product-id", product))
    line = ["--product-id", "7", "--order-id", "A-17", "--line-id", "4"]
    held = succeed(shop("order", *line, "--quantity", "2", "--hold", "15m"))
    assert held["order_data"]["hold_seconds"] == 900 and held["held_until"]
    again = shop("order", *line, "--quantity", "2", "--hold", "16m")
    assert again.returncode == 1 and "with hold_seconds 900" in again.stdout
    early = shop("confirm", "--product-id", "7", "--order-id", "A-17")  # another line: none
    assert early.returncode == 1 and json.loads(early.stdout)["message"] == "Order not found"
    for _ in range(2):
        assert succeed(shop("confirm", *line))["message"] == "Order confirmed"

    succeed(shop("order", "--order-id", "A-18", "--item", "7:3", "--item", "8:5", "--hold", "30d"))
    wrong = shop("confirm", "--order-id", "A-18", "--item", "7:3", "--item", "8:4")
    assert wrong.returncode == 1 and "Invalid confirmation" in wrong.stdout
    both = ["--order-id", "A-18", "--item", "7", "--item", "8:5"]
    assert succeed(shop("confirm", *both))["message"] == "Order confirmed"
    late = shop("order", "--item", "7:1", "--item", "8:1", "--hold", "1m")
    assert late.returncode == 1 and json.loads(late.stdout)["held_until"] is None
    given_back = succeed(shop("cancel", *both))["items"]
    assert [item["quantity"] for item in given_back] == [3, 5]
    gone = shop("confirm", "--order-id", "A-18", "--item", "7")
    assert gone.returncode == 0, "what was answered stays so"


def without_times(text):
    return re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+\+00:00", "TIME", text)


def test_the_example_of_holds_is_what_happens(broker, database, queues):
    """Each command of docs/holds.md as it is written there, on an empty database."""
    example = "".join(re.findall(r"```console\n(.*?)```", HOLDS, re.DOTALL))
    steps = re.findall(r"^\$ inventory-service (.*)\n([^$]*)", example, re.MULTILINE)
    assert len(steps) == example.count("$ ") > 10
    settings = variables(broker.url, queues) | {"DATABASE_URL": database.url}
    with Service(broker.url, database.url, queues):
        for command, expected in steps:
            end = time.monotonic() + DEADLINE_S
            is_yes = command.startswith("stock") or '"success":true' in expected
            while True:
                done = run(*shlex.split(command), **settings)
                assert done.returncode == (0 if is_yes else 1), done
                if without_times(done.stdout) == without_times(expected):
                    break
                # The stock comes back a few seconds later, says the page.
                assert command.startswith("stock") and time.monotonic() < end, done
                time.sleep(0.2)


@pytest.mark.parametrize(
    "command, setting",
    [
        (["cancel", "--order-id", "1", "--product-id", "1"], "CANCEL"),
        (["confirm", "--order-id", "1", "--product-id", "1"], "CONFIRM"),
        (["adjust", "--product-id", "1", "--change", "1"], "ADJUST"),
    ],
)
def test_a_command_whose_queue_is_switched_off_says_so(command, setting):
    done = run(*command, **{f"INVENTORY_{setting}_QUEUE": "none"})
    assert done.returncode == 2 and one_line(done.stderr)
    assert "is none: it is switched off" in done.stderr


def test_an_item_needs_no_description(shop):
    added = shop("add", "--quantity", "0")
    assert added.returncode == 0, added.stderr
    assert json.loads(added.stdout)["description"] is None


def test_an_order_id_may_be_text(shop):
    ordered = shop("order", "--product-id", "1", "--quantity", "2", "--order-id", "A 1 é")
    assert ordered.returncode == 1
    assert json.loads(ordered.stdout)["order_id"] == "A 1 é"


@pytest.mark.parametrize(
    "command",
    [
        ["add", "--quantity", "1"],
        ["order", "--product-id", "1", "--quantity", "1"],
        ["cancel", "--order-id", "1", "--product-id", "1"],
        ["confirm", "--order-id", "1", "--product-id", "1"],
        ["adjust", "--product-id", "1", "--change", "1"],
    ],
)
def test_without_an_answer_in_time_the_status_is_3(broker, client, queues, command):
    for queue in (queues.order, queues.item, queues.cancel, queues.confirm, queues.adjust):
        client.channel.queue_declare(queue, durable=True)
    done = run(*command, "--timeout", "1", **variables(broker.url, queues))
    assert done.returncode == 3
    assert done.stdout == ""
    assert one_line(done.stderr)


@pytest.mark.parametrize(
    "command",
    [
        ["add", "--quantity", "1"],
        ["order", "--product-id", "1", "--quantity", "1"],
        ["cancel", "--order-id", "1", "--product-id", "1"],
        ["confirm", "--order-id", "1", "--product-id", "1"],
        ["adjust", "--product-id", "1", "--change", "1"],
    ],
)
def test_without_a_broker_the_status_is_3(command):
    done = run(*command, "--timeout", "1", AMQP_URL=f"amqp://guest:{SECRET}@127.0.0.1:1/")
    assert done.returncode == 3
    assert done.stdout == ""
    assert one_line(done.stderr)
    assert SECRET not in done.stderr


@pytest.mark.parametrize("command", [[], ["serve"], ["add"], ["order"], ["confirm"], ["cancel"], ["adjust"], ["migrate"], ["import"], ["dead-letters"]])
def test_help_is_there_for_every_command(command):
    done = run(*command, "--help")
    assert done.returncode == 0
    assert "--help" in done.stdout
    assert done.stderr == ""


def test_without_a_command_it_helps_with_status_2():
    done = run()
    assert done.returncode == 2
    assert done.stdout == ""
    assert "--help" in done.stderr


def test_the_version_is_a_version():
    done = run("--version")
    assert done.returncode == 0
    assert done.stdout.split()[-1][0].isdigit()


def test_migrate_can_be_repeated(database):
    for _ in range(2):
        done = run("migrate", DATABASE_URL=database.url)
        assert done.returncode == 0, done.stderr
    assert database.query("SELECT count(*) FROM inventory") == [(0,)]


def test_migrate_says_in_one_line_that_there_is_no_database():
    done = run("migrate", DATABASE_URL=f"postgresql://u:{SECRET}@127.0.0.1:1/inventory")
    assert done.returncode == 3
    assert one_line(done.stderr)
    assert SECRET not in done.stdout + done.stderr


@pytest.mark.parametrize("command", [["--print-config"], ["--help"], ["verify"]])
def test_output_that_cannot_be_written_has_status_3(database, command):
    assert run("migrate", DATABASE_URL=database.url).returncode == 0
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [PROGRAM, *command],
            env=environment(DATABASE_URL=database.url),
            stdin=subprocess.DEVNULL,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=DEADLINE_S,
        )
    assert done.returncode == 3
    assert done.stderr == "inventory-service: standard output cannot be written\n"


def test_print_config_masks_credentials():
    done = run(
        "serve",
        "--print-config",
        AMQP_URL=f"amqp://shop:{SECRET}@broker-1,broker-2:5673/orders",
        DATABASE_URL=f"postgresql://shop:{SECRET}@database:5433/inventory?password={SECRET}",
    )
    assert done.returncode == 0, done.stderr
    assert "broker-1" in done.stdout and "broker-2:5673" in done.stdout
    assert "database:5433" in done.stdout
    assert SECRET not in done.stdout + done.stderr


def test_rabbitmq_host_is_honoured():
    done = run("serve", "--print-config", RABBITMQ_HOST="rabbit-of-old")
    assert done.returncode == 0, done.stderr
    assert "rabbit-of-old" in done.stdout


WRONG = [  # options, environment, the setting, its source, a part of what it takes
    (["--prefetch=0"], {}, "prefetch", "--prefetch", "65535"),
    (["--prefetch=many"], {}, "prefetch", "--prefetch", "65535"),
    ([], {"INVENTORY_PREFETCH": "65536"}, "prefetch", "INVENTORY_PREFETCH", "65535"),
    (["--batch-max=0"], {}, "batch-max", "--batch-max", "10000"),
    (["--message-bytes-max=-1"], {}, "message-bytes-max", "--message-bytes-max", "16777216"),
    (["--queue-type=stream"], {}, "queue-type", "--queue-type", "classic or quorum"),
    (["--log-level=loud"], {}, "log-level", "--log-level", "info"),
    (["--log-format=xml"], {}, "log-format", "--log-format", "json"),
    (["--order-queue="], {}, "order-queue", "--order-queue", "bytes"),
    (["--order-queue=" + 256 * "x"], {}, "order-queue", "--order-queue", "bytes"),
    (["--item-queue=order_validate"], {}, "item-queue", "--item-queue", "name"),
    ([], {"AMQP_URL": f"http://u:{SECRET}@h/"}, "amqp-url", "AMQP_URL", "amqp"),
    ([], {"AMQP_URL": f"amqp://u:{SECRET}@h:port/"}, "amqp-url", "AMQP_URL", "amqp"),
    ([], {"DATABASE_URL": f"mysql://u:{SECRET}@h/i"}, "database-url", "DATABASE_URL", "sqlite"),
    ([f"--database-url={SECRET}"], {}, "database-url", "--database-url", "sqlite"),
]


@pytest.mark.parametrize("options, environment, setting, source, takes", WRONG)
def test_a_wrong_value_is_one_line(options, environment, setting, source, takes):
    done = run("serve", *options, **environment)
    assert done.returncode == 2
    assert done.stdout == ""
    assert one_line(done.stderr), done.stderr
    assert setting in done.stderr and source in done.stderr and takes in done.stderr
    assert SECRET not in done.stderr


def test_a_settings_file_counts_less_than_environment_and_flags(folder):
    settings = folder / "settings.toml"
    settings.write_text('prefetch = 7\nbatch-max = 8\norder-queue = "orders" # by file\n')
    done = run(
        "serve", "--print-config", f"--config={settings}", "--batch-max=9", INVENTORY_PREFETCH="10"
    )
    assert done.returncode == 0, done.stderr
    shown = [line.split("#")[0].strip() for line in done.stdout.splitlines()]
    assert {"prefetch = 10", "batch-max = 9", 'order-queue = "orders"'} <= set(shown)


def test_a_wrong_value_in_a_settings_file_is_one_line(folder):
    settings = folder / "wrong.toml"
    wrong = {"prefetch = 0": "prefetch", "prefecth = 1": "prefecth", "x": "line 1"}
    for text, named in wrong.items():
        settings.write_text(text)
        done = run("serve", f"--config={settings}")
        assert done.returncode == 2
        assert one_line(done.stderr), done.stderr
        assert named in done.stderr and "wrong.toml" in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["no-such-command"],
        ["serve", "--no-such-option"],
        ["serve", "extra"],
        ["add"],
        ["add", "--quantity", "-1"],
        ["add", "--quantity", "1.5"],
        ["order", "--product-id", "0", "--quantity", "1"],
        ["order", "--product-id", "1", "--quantity", "0"],
        ["order", "--product-id", "1"],
        ["order", "--product-id", "1", "--quantity", "1", "--timeout", "soon"],
        ["order", "--product-id", "1", "--quantity", "1", "--hold", "31d"],
        ["confirm", "--product-id", "1"],
        ["import"],
        ["import", "one.csv", "two.csv"],
        ["dead-letters", "list", "--older-than", "2"],
        ["dead-letters", "burn"],
    ],
)
def test_a_wrong_command_line_has_status_2(arguments):
    done = run(*arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert one_line(done.stderr), done.stderr


def test_a_url_may_be_in_a_file(folder):
    secret = folder / "amqp-url"
    secret.write_text(f"amqp://shop:{SECRET}@broker-1/orders\n")
    done = run("serve", "--print-config", AMQP_URL_FILE=str(secret))
    assert done.returncode == 0, done.stderr
    assert 'amqp-url = "amqp://shop:***@broker-1/orders"  # environment AMQP_URL_FILE' in done.stdout
    assert SECRET not in done.stdout + done.stderr


def test_a_url_file_that_cannot_be_used_is_one_line(folder):
    wrong = folder / "no-url"
    wrong.write_text(SECRET)
    for variables, named in (
        ({"AMQP_URL_FILE": str(folder / "none")}, "No such file"),
        ({"AMQP_URL_FILE": str(wrong)}, "AMQP_URL_FILE"),
        ({"DATABASE_URL_FILE": str(wrong), "DATABASE_URL": "sqlite:x"}, "DATABASE_URL is set"),
    ):
        done = run("serve", **variables)
        assert done.returncode == 2
        assert one_line(done.stderr) and named in done.stderr and SECRET not in done.stderr
