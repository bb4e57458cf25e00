"""Alert rules, dashboard and documentation speak of metrics that exist, and of all of them."""

import json
import pathlib
import re

import pytest
import yaml

from database import Sqlite
from service import Queues, Service

ROOT = pathlib.Path(__file__).resolve().parents[2]
RULES = yaml.safe_load((ROOT / "deploy/prometheus/inventory-service.rules.yml").read_text())
ALERTS = RULES["groups"][0]["rules"]
DASHBOARD = json.loads((ROOT / "deploy/grafana/inventory-service.json").read_text())
MONITOR = (ROOT / "docs/monitor.md").read_text()
ALERTS_PAGE = (ROOT / "docs/alerts.md").read_text()

NAME = r"(?:inventory|messaging|db|process)_[a-z_]+[a-z]"


def metrics_in(expressions):
    return set(re.findall(NAME, re.sub(r'"[^"]*"', "", " ".join(expressions))))


def panel_expressions():
    return [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]


@pytest.fixture(scope="module")
def page(broker, folder):
    """The metrics of a service that has just started, as text."""
    with Service(broker.url, Sqlite(folder).url, Queues.fresh()) as service:
        return service.get("/metrics")[1]


@pytest.fixture(scope="module")
def series(page):
    return {re.match(NAME, line)[0] for line in page.splitlines() if not line.startswith("#")}


@pytest.fixture(scope="module")
def families(page):
    return set(re.findall(rf"^# TYPE ({NAME}) ", page, re.MULTILINE))


def test_every_metric_of_an_alert_exists_and_has_a_panel(series):
    wanted = metrics_in(rule["expr"] for rule in ALERTS)
    assert wanted and wanted <= series
    assert wanted <= metrics_in(panel_expressions())


def test_every_metric_of_the_dashboard_exists(series):
    assert metrics_in(panel_expressions()) <= series


def test_every_panel_takes_the_data_source_that_is_chosen():
    chosen = {"type": "prometheus", "uid": "${datasource}"}
    for panel in DASHBOARD["panels"]:
        assert panel["datasource"] == chosen
        assert all(target["datasource"] == chosen for target in panel["targets"])
    assert DASHBOARD["templating"]["list"][0]["type"] == "datasource"


def test_the_page_lists_every_metric_and_no_other(families):
    table = MONITOR.split("## Metrics")[1].split("\n## ")[0]
    listed = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    assert set(re.findall(NAME, " ".join(listed))) == families


def test_the_page_has_a_paragraph_for_each_alert_and_each_check(broker, folder):
    paragraphs = ALERTS_PAGE.split("## Alerts")[1].split("\n## ")[0]
    alerts = [rule["alert"] for rule in ALERTS]
    assert re.findall(r"^### (\w+)$", paragraphs, re.MULTILINE) == alerts
    with Service(broker.url, Sqlite(folder).url, Queues.fresh()) as service:
        checks = re.findall(r"^\[\+\](\w+) ok$", service.get("/readyz?verbose")[1], re.MULTILINE)
    table = ALERTS_PAGE.split("## Readiness checks")[1].split("\n## ")[0]
    assert re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE) == checks
