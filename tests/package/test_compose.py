"""compose.yaml against what it names: files, hosts, ports, users."""

import re
import subprocess
from urllib.parse import urlsplit

import yaml

from machine import CHECKOUT

COMPOSE = yaml.safe_load((CHECKOUT / "compose.yaml").read_text())
SERVICES = COMPOSE["services"]
DOCKERFILE = (CHECKOUT / "Dockerfile").read_text()


def load(path):
    return yaml.safe_load((CHECKOUT / path).read_text())


def test_what_it_mounts_exists():
    for name, service in SERVICES.items():
        assert "image" in service or (CHECKOUT / service["build"] / "Dockerfile").exists(), name
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            exists = (CHECKOUT / source).is_dir() if "/" in source else source in COMPOSE["volumes"]
            assert exists, f"{name}: {source}"


def test_only_this_machine_reaches_it():
    published = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert len(published) == 5
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_the_service_knows_its_broker_and_its_database():
    given = SERVICES["inventory-service"]["environment"]
    amqp, database = urlsplit(given["AMQP_URL"]), urlsplit(given["DATABASE_URL"])
    broker = SERVICES[amqp.hostname]["environment"]
    assert amqp.username == broker["RABBITMQ_DEFAULT_USER"]
    assert amqp.password == broker["RABBITMQ_DEFAULT_PASS"]
    server = SERVICES[database.hostname]["environment"]
    assert database.username == server["POSTGRES_USER"]
    assert database.password == server["POSTGRES_PASSWORD"]
    assert database.path == "/" + server["POSTGRES_DB"]


def test_prometheus_scrapes_where_the_service_listens():
    path = "deploy/prometheus/prometheus.yml"
    checked = subprocess.run(
        ["promtool", "check", "config", CHECKOUT / path], capture_output=True, text=True
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
    (job,) = load(path)["scrape_configs"]
    (found,) = job["dns_sd_configs"]
    assert found["names"] == ["inventory-service"] and found["names"][0] in SERVICES
    assert re.search(rf"^EXPOSE {found['port']}$", DOCKERFILE, re.MULTILINE)
    assert f"INVENTORY_HTTP_LISTEN=0.0.0.0:{found['port']}\n" in DOCKERFILE


def test_grafana_finds_prometheus_and_the_dashboards():
    folder = "deploy/grafana/provisioning"
    (source,) = load(f"{folder}/datasources/prometheus.yml")["datasources"]
    url = urlsplit(source["url"])
    assert f"127.0.0.1:{url.port}:{url.port}" in SERVICES[url.hostname]["ports"]
    (provider,) = load(f"{folder}/dashboards/inventory.yml")["providers"]
    mounted = dict(volume.split(":")[1::-1] for volume in SERVICES["grafana"]["volumes"])
    assert (CHECKOUT / mounted[provider["options"]["path"]]).is_dir()


def test_the_service_may_take_the_time_it_needs_to_stop():
    budget = subprocess.run(
        [CHECKOUT / "build/release/inventory-service", "--print-config"],
        check=True, capture_output=True, text=True,
    ).stdout
    seconds = int(re.search(r"^shutdown-budget = (\d+)", budget, re.MULTILINE)[1])
    assert int(SERVICES["inventory-service"]["stop_grace_period"].rstrip("s")) > seconds
