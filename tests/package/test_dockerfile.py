"""The Dockerfile, built and run without Docker: every RUN line in a root of its own."""

import signal
import socket
import subprocess

import dockerfile
from machine import CHECKOUT, DEADLINE_S
from waiting import wait_for


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def wait_for_health(stage, check, status):
    def is_met():
        return subprocess.run(stage.inside(*check), capture_output=True).returncode == status

    wait_for(is_met, f"the health check comes to {status}", DEADLINE_S, interval_s=0.5)


def test_it_builds_runs_as_an_ordinary_user_and_stops_as_process_1(new_root, broker):
    stage = dockerfile.build(CHECKOUT / "Dockerfile", new_root)
    assert stage.user == "inventory-service"
    (port,) = stage.ports
    stage.environment["AMQP_URL"] = broker.url
    # The host's network: another port than the image's, which may be taken.
    here = str(free_port())
    stage.environment["INVENTORY_HTTP_LISTEN"] = f"127.0.0.1:{here}"
    check = [word.replace(str(port), here) for word in stage.healthcheck]

    process = subprocess.Popen(stage.inside(*stage.entrypoint, *stage.command))
    try:
        wait_for_health(stage, check, 0)
        for arguments in (["add", "--quantity=5"], ["order", "--product-id=1", "--quantity=2"]):
            done = subprocess.run(
                stage.inside(*stage.entrypoint, *arguments), capture_output=True, text=True
            )
            assert done.returncode == 0, done.stderr
        with open(f"/proc/{process.pid}/task/{process.pid}/children") as children:
            first = int(children.read().split()[0])
        with open(f"/proc/{first}/status") as status:
            state = dict(line.split(":\t", 1) for line in status if ":\t" in line)
        assert state["NSpid"].split()[-1] == "1"
        assert state["Uid"].split()[0] != "0"
        subprocess.run(["kill", f"-{int(signal.SIGTERM)}", str(first)], check=True)
        assert process.wait(timeout=DEADLINE_S) == 0
        wait_for_health(stage, check, 1)
    finally:
        process.kill()
        process.wait()
