"""The Debian package: what lintian, systemd and man say of it, and its life on a booted machine."""

import json
import re
import subprocess

import pytest

from machine import BUILD, CHECKOUT, Machine

UNIT = "inventory-service.service"
ARCHIVE = "inventory-service-archive.service"
TIMER = "inventory-service-archive.timer"
SETTINGS = "/etc/inventory-service/inventory-service.toml"
STOCK = "/var/lib/inventory-service"


def output_of(*command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_lintian_finds_nothing(package):
    found = output_of("lintian", "--allow-root", "--fail-on", "error,warning", package)
    assert not [line for line in found.splitlines() if line.startswith(("E:", "W:"))], found


def test_the_unit_is_well_confined():
    report = output_of(
        "systemd-analyze", "security", "--offline=true", CHECKOUT / "packaging" / UNIT
    )
    exposure = re.search(r"Overall exposure level for \S+: ([0-9.]+) OK", report)
    assert exposure and float(exposure[1]) < 2, report[-200:]


def test_the_manual_page_is_well_formed():
    page = BUILD / "inventory-service.1"
    assert output_of("man", "--warnings", "--local-file", page)
    complaints = output_of("mandoc", "-T", "lint", "-W", "warning", page).splitlines()
    # It looks the other pages up in an index that Debian does not keep.
    wrong = [line for line in complaints if ": STYLE: " not in line and "mandoc.db" not in line]
    assert not wrong


def test_the_manual_page_holds_every_option_of_the_help():
    program = BUILD / "inventory-service"
    page = output_of("man", "--encoding=ascii", "--local-file", BUILD / "inventory-service.1")
    page = re.sub(".\b", "", page)
    texts = [output_of(program, "--help")]
    commands = re.search(r"Subcommands:\n((?:  .*\n)+)", texts[0])[1]
    texts += [
        output_of(program, command, "--help")
        for command in re.findall(r"^  (\S+)", commands, re.MULTILINE)
    ]
    options = {option for text in texts for option in re.findall(r"--[a-z-]+", text)}
    variables = set(re.findall(r"\b[A-Z]+_[A-Z_]+\b", texts[0]))
    assert len(options) > 15 and len(variables) > 10
    assert [name for name in sorted(options | variables) if name not in page] == []


def completed(*words):
    """What bash offers in the place of the last word."""
    script = """
        source "$1"; shift
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
        _inventory_service
        printf '%s\\n' "${COMPREPLY[@]}"
    """
    file = BUILD / "inventory-service.bash"
    return output_of("bash", "-c", script, "bash", file, "inventory-service", *words).split()


def test_bash_completes_commands_options_and_settings():
    assert {"serve", "order", "dead-letters", "--amqp-url"} <= set(completed(""))
    assert completed("ord") == ["order"]
    assert completed("dead-letters", "re") == ["replay"]
    assert completed("--prefetch", "7", "dead-letters", "purge", "--y") == ["--yes"]
    assert completed("order", "--pro") == ["--product-id"]
    assert completed("order", "--database") == ["--database-url"]


def newer(package, folder):
    """The same package with a higher version and another default."""
    tree = folder / "newer"
    output_of("dpkg-deb", "-R", package, tree)
    control = (tree / "DEBIAN/control").read_text()
    (tree / "DEBIAN/control").write_text(
        re.sub(r"^Version: .*$", "Version: 99.0", control, flags=re.MULTILINE)
    )
    made = folder / "inventory-service_99.0_amd64.deb"
    output_of("dpkg-deb", "--root-owner-group", "-b", tree, made)
    return made


@pytest.fixture
def machine(new_root, package):
    root = new_root()
    root.install("systemd", "dbus", "procps")
    with Machine(root) as booted:
        yield booted


def put(machine, package):
    target = f"/root/{package.name}"
    machine.root.file(target).write_bytes(package.read_bytes())
    return target


def ask(machine, *arguments):
    done = machine.run("inventory-service", *arguments, "--config", SETTINGS)
    return json.loads(done.stdout)


def test_its_life_on_a_machine(machine, package, broker, tmp_path):
    machine.run("apt-get", "-qq", "-y", "--no-install-recommends", "install", put(machine, package))

    # Nothing runs until someone has seen to the settings, which only root and the service can read.
    assert machine.show(UNIT, "ActiveState") == "inactive"
    assert machine.run("systemctl", "is-enabled", UNIT, check=False).stdout.strip() == "disabled"
    stat = machine.run("stat", "--format=%a %U %G", SETTINGS).stdout.strip()
    assert stat == "640 root inventory-service"
    machine.run("systemd-analyze", "verify", "--man=no", UNIT, ARCHIVE, TIMER)
    assert machine.run("systemctl", "is-enabled", TIMER, check=False).stdout.strip() == "disabled"

    # A broker that is away is waited for.
    machine.run("systemctl", "enable", "--now", UNIT)
    machine.wait_for(UNIT, "StatusText", lambda text: "the broker is not ready" in text)

    # With a broker, it works; its credentials come from the file that systemd hands over.
    settings = machine.root.file(SETTINGS)
    text = settings.read_text()
    edited = re.sub(r'^amqp-url = .*$', f'amqp-url = "{broker.url}"', text, flags=re.MULTILINE)
    assert edited != text
    settings.write_text(edited)
    machine.run("systemctl", "restart", UNIT)
    machine.wait_for(UNIT, "StatusText", lambda text: text.startswith("consuming order_validate; "))
    item = ask(machine, "add", "--quantity", "10")
    assert ask(machine, "order", f"--product-id={item['id']}", "--quantity=2")["success"]
    user = machine.run("ps", "-o", "user:32=", "-p", machine.show(UNIT, "MainPID")).stdout.strip()
    assert user == "inventory-service"
    assert machine.run("stat", "--format=%a", STOCK).stdout.strip() == "750"

    # The night's work, which nobody has switched on, can be done.
    machine.run("systemctl", "start", ARCHIVE)
    assert machine.show(ARCHIVE, "Result") == "success"

    # A process that hangs is restarted.
    process = machine.show(UNIT, "MainPID")
    machine.run("mkdir", "-p", f"/run/systemd/system/{UNIT}.d")
    machine.run(
        "sh", "-c", f"printf '[Service]\\nWatchdogSec=2\\n' >/run/systemd/system/{UNIT}.d/w.conf"
    )
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "restart", UNIT)
    process = machine.show(UNIT, "MainPID")
    machine.run("kill", "-STOP", process)
    machine.wait_for(UNIT, "NRestarts", lambda count: count == "1")
    machine.wait_for(UNIT, "StatusText", lambda text: text.startswith("consuming "))

    # A wrong setting is not the end: once it is put right, the service starts without a person.
    settings.write_text("no-such-setting = 1\n" + edited)
    machine.run("systemctl", "restart", UNIT, check=False)
    machine.wait_for(UNIT, "NRestarts", lambda count: int(count) >= 1)
    settings.write_text(edited)
    machine.wait_for(UNIT, "StatusText", lambda text: text.startswith("consuming "))

    # An upgrade restarts it and keeps the settings; the stock is what it was.
    process = machine.show(UNIT, "MainPID")
    machine.run("dpkg", "--force-confold", "-i", put(machine, newer(package, tmp_path)))
    machine.wait_for(UNIT, "MainPID", lambda now: now not in ("0", process))
    machine.wait_for(UNIT, "StatusText", lambda text: text.startswith("consuming "))
    assert settings.read_text() == edited
    refused = machine.run(
        "inventory-service", "order", f"--product-id={item['id']}", "--quantity=9",
        "--config", SETTINGS, check=False,
    )
    assert refused.returncode == 1 and "Not enough inventory" in refused.stdout

    # Removed, it is stopped; the settings go with a purge; user and stock stay.
    machine.run("apt-get", "-qq", "-y", "remove", "inventory-service")
    assert machine.show(UNIT, "ActiveState") == "inactive"
    assert machine.run("pgrep", "-x", "inventory-servi", check=False).stdout == ""
    assert settings.exists()
    purged = machine.run("apt-get", "-qq", "-y", "purge", "inventory-service").stdout
    assert not settings.exists()
    assert f"{STOCK} holds a stock, and is kept" in purged
    machine.run("id", "inventory-service")
    assert machine.root.file(f"{STOCK}/inventory.db").exists()
