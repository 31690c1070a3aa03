"""Alerts and dashboards: they parse, ask only for what the services export, and each alert has its page."""

import json
import re
import subprocess
import sys

import promql_parser
import pytest
import yaml

from exam_harness.chart.render import CHART, render
from exam_harness.environments.processes.paths import REPOSITORY

ALERTS = yaml.safe_load((CHART / "files/alerts.yaml").read_text())["groups"][0]["rules"]
DASHBOARDS = {path.name: json.loads(path.read_text()) for path in sorted((CHART / "files/dashboards").glob("*.json"))}
EXPRESSIONS = [
    *((rule["alert"], rule["expr"]) for rule in ALERTS),
    *(
        (f"{name}: {panel['title']}", target["expr"])
        for name, board in DASHBOARDS.items()
        for panel in board["panels"]
        for target in panel["targets"]
    ),
]
NAME = re.compile(r"\b(exam_[a-z_]+)")
LABELLED = re.compile(r"(exam_[a-z_]+)\{([^}]*)\}")
# In a process of its own: counters of one process are one registry, and the grader's wants Django.
EXPORTED = """
import os, json
os.environ |= {"EXAM_COMPONENT": "grader", "EXAM_DATABASE_URL": "postgresql://a@b/c", "EXAM_REDIS_URL": "redis://r"}
os.environ["DJANGO_SETTINGS_MODULE"] = "exam_web.settings"
import django
django.setup()
from prometheus_client import REGISTRY
import exam_web.metrics, exam_grader.metrics, exam_operator.metrics
from exam_solver.observability import Metrics
class Keeper:
    age = valid = epoch = in_flight = 0
solver = Metrics()
solver.watch(Keeper())
found = {}
for registry in (REGISTRY, solver.registry):
    for collector, names in registry._collector_to_names.items():
        for name in names:
            found[name] = list(getattr(collector, "_labelnames", ()))
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def exported() -> dict[str, list[str]]:
    """Every series that a service exports, with its labels."""
    done = subprocess.run([sys.executable, "-c", EXPORTED], capture_output=True, text=True, check=True)
    found: dict[str, list[str]] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize(("where", "expression"), EXPRESSIONS)
def test_prometheus_can_read_it(where, expression) -> None:
    """If I install the rules or a dashboard, Prometheus understands every expression."""
    assert promql_parser.parse(expression), where


def test_a_broken_expression_is_noticed() -> None:
    """If an expression were broken, this suite would say so."""
    with pytest.raises(ValueError, match="unclosed left parenthesis"):
        promql_parser.parse("sum(rate(exam_solver_answers_total[2m])")


@pytest.mark.parametrize(("where", "expression"), EXPRESSIONS)
def test_it_asks_for_what_is_exported(where, expression, exported) -> None:
    """If an alert or a panel names a series or a label, a service exports it: it does not stay silent for ever."""
    for name in NAME.findall(expression):
        assert name in exported, f"{where}: {name}"
    for name, matchers in LABELLED.findall(expression):
        labels = set(re.findall(r"(\w+)\s*(?:=|!=|=~|!~)", matchers))
        assert labels <= {*exported[name], "le"}, f"{where}: {name}{labels}"


def test_every_alert_has_its_page() -> None:
    """If an alert wakes me, its annotation leads to what it means and what to do."""
    text = (REPOSITORY / "docs/alerts.md").read_text()
    headings = re.findall(r"^## (\w+)$", text, re.MULTILINE)
    assert headings == [rule["alert"] for rule in ALERTS]
    for rule in ALERTS:
        assert rule["annotations"]["runbook"] == f"docs/alerts.md#{rule['alert'].lower()}"
        assert rule["annotations"]["summary"] in text
        assert rule["labels"]["severity"] in {"warning", "critical"}


def test_dashboards_belong_to_no_instance() -> None:
    """If I import a dashboard, it asks which Prometheus to use, and overwrites nobody else's."""
    for board in DASHBOARDS.values():
        assert "id" not in board
        assert board["templating"]["list"][0]["type"] == "datasource"
        panels = [panel["id"] for panel in board["panels"]]
        assert len(panels) == len(set(panels))
        assert all(panel["datasource"]["uid"] == "${datasource}" for panel in board["panels"])


def test_nothing_of_it_is_there_unless_asked_for(plain) -> None:
    """If my cluster has no Prometheus operator, the chart installs there all the same."""
    assert not [each for each in plain if each["apiVersion"].startswith("monitoring.coreos.com")]


def test_everything_of_it_is_there_when_asked_for() -> None:
    """If I turn monitoring on, each component is scraped at a port that it has, and everything carries my labels."""
    on = {"enabled": True, "labels": {"release": "prometheus"}}
    documents = render({"monitoring": {"serviceMonitors": on, "rules": on, "dashboards": on}})
    monitors = [each for each in documents if each["kind"] == "ServiceMonitor"]
    services = {each["metadata"]["name"]: each for each in documents if each["kind"] == "Service"}
    assert {each["metadata"]["name"] for each in monitors} == {
        f"exam-{component}" for component in ("web", "solver", "grader", "beat", "operator")
    }
    for monitor in monitors:
        (endpoint,) = monitor["spec"]["endpoints"]
        service = services[monitor["metadata"]["name"]]
        assert endpoint["port"] in {port["name"] for port in service["spec"]["ports"]}
        selector = monitor["spec"]["selector"]["matchLabels"].items()
        assert selector <= service["metadata"]["labels"].items()
    (rules,) = [each for each in documents if each["kind"] == "PrometheusRule"]
    assert rules["spec"]["groups"][0]["rules"] == ALERTS
    boards = [each for each in documents if each["kind"] == "ConfigMap" and "-dashboard-" in each["metadata"]["name"]]
    assert {json.loads(next(iter(each["data"].values())))["uid"] for each in boards} == {
        "exam-sitting",
        "exam-platform",
    }
    assert all(each["metadata"]["labels"]["release"] == "prometheus" for each in (*monitors, rules, *boards))
