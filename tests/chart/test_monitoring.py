"""Alerts and dashboards: expressions parse and use exported metrics only, and each alert has a runbook section."""

import json
import re
import subprocess
import sys
from typing import Any

import promql_parser
import pytest
import yaml

from exam_harness.chart.render import CHART, render
from exam_harness.environments.processes.paths import REPOSITORY

ALERTS = [
    rule for group in yaml.safe_load((CHART / "files/alerts.yaml").read_text())["groups"] for rule in group["rules"]
]
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
ANY_NAME = re.compile(r"\b((?:exam|pg|redis)_[a-z_]+)")
LABELLED = re.compile(r"(exam_[a-z_]+)\{([^}]*)\}")
# Runs in its own process: prometheus_client has one registry per process, and the grader's metrics need Django.
EXPORTED = """
import os, json
os.environ |= {"EXAM_COMPONENT": "grader", "EXAM_DATABASE_URL": "postgresql://a@b/c", "EXAM_REDIS_URL": "redis://r"}
os.environ["DJANGO_SETTINGS_MODULE"] = "exam_web.settings"
import django
django.setup()
from prometheus_client import REGISTRY
import exam_web.metrics, exam_grader.metrics, exam_operator.metrics
from exam_solver.metrics import Metrics
class LeaseKeeper:
    age = valid = epoch = in_flight = unreadable = 0
solver = Metrics()
solver.watch_lease(LeaseKeeper())
found = {}
from exam_answerlog.node_metrics import node_metrics
for family in node_metrics((), "exam"):
    found[family.name + "_total" * (family.type == "counter")] = list(family._labelnames)
for registry in (REGISTRY, solver.registry):
    for collector, names in registry._collector_to_names.items():
        for name in names:
            found[name] = list(getattr(collector, "_labelnames", ()))
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def exported() -> dict[str, list[str]]:
    """Every metric that a service exports, with its label names."""
    done = subprocess.run([sys.executable, "-c", EXPORTED], capture_output=True, text=True, check=True)
    found: dict[str, list[str]] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize(("where", "expression"), EXPRESSIONS)
def test_expression_parses(where, expression) -> None:
    """If I install the rules or a dashboard, Prometheus can parse every expression."""
    assert promql_parser.parse(expression).prettify(), where


def test_broken_expression_is_detected() -> None:
    """If an expression were broken, the parser would raise (negative control)."""
    with pytest.raises(ValueError, match="unclosed left parenthesis"):
        promql_parser.parse("sum(rate(exam_solver_answers_total[2m])")


@pytest.mark.parametrize(("where", "expression"), EXPRESSIONS)
def test_expression_uses_exported_metrics_and_labels(where, expression, exported) -> None:
    """If an alert or a panel names a metric or a label of the platform, it is exported: it cannot stay empty for ever.

    Those of PostgreSQL and Redis are compared with the exporters themselves (test_store_exporters).
    """
    for name in NAME.findall(expression):
        assert name in exported, f"{where}: {name}"
    for name, matchers in LABELLED.findall(expression):
        labels = set(re.findall(r"(\w+)\s*(?:=|!=|=~|!~)", matchers))
        assert labels <= {*exported[name], "le"}, f"{where}: {name}{labels}"


def test_every_alert_has_a_runbook_section() -> None:
    """If an alert fires, its annotation links to what it means and what to do."""
    text = (REPOSITORY / "docs/alerts.md").read_text()
    headings = re.findall(r"^## (\w+)$", text, re.MULTILINE)
    assert headings == [rule["alert"] for rule in ALERTS]
    for rule in ALERTS:
        assert rule["annotations"]["runbook"] == f"docs/alerts.md#{rule['alert'].lower()}"
        assert rule["annotations"]["summary"] in text
        assert rule["labels"]["severity"] in {"warning", "critical"}


def test_dashboards_can_be_imported_anywhere() -> None:
    """If I import a dashboard, it has a variable for the Prometheus data source and overwrites no other dashboard."""
    for board in DASHBOARDS.values():
        assert "id" not in board
        assert board["templating"]["list"][0]["type"] == "datasource"
        panels = [panel["id"] for panel in board["panels"]]
        assert len(panels) == len(set(panels))
        assert all(panel["datasource"]["uid"] == "${datasource}" for panel in board["panels"])


def test_monitoring_objects_are_off_by_default(plain) -> None:
    """If my cluster has no Prometheus operator, the chart can still be installed."""
    assert not [each for each in plain if each["apiVersion"].startswith("monitoring.coreos.com")]


def test_monitoring_objects_are_rendered_when_enabled() -> None:
    """If I enable monitoring, each component is scraped at one of its ports, and every object has my labels."""
    on = {"enabled": True, "labels": {"release": "prometheus"}}
    documents = render({"monitoring": {"serviceMonitors": on, "rules": on, "dashboards": on}, "exporters": ON})
    monitors = [each for each in documents if each["kind"] == "ServiceMonitor"]
    services = {each["metadata"]["name"]: each for each in documents if each["kind"] == "Service"}
    assert {each["metadata"]["name"] for each in monitors} == {
        f"exam-{component}"
        for component in (
            *("web", "solver", "grader", "beat", "operator"),
            *(f"{store}-exporter" for store in ("broker", "cassandra", "postgres", "redis")),
        )
    }
    for monitor in monitors:
        (endpoint,) = monitor["spec"]["endpoints"]
        service = services[monitor["metadata"]["name"]]
        assert endpoint["port"] in {port["name"] for port in service["spec"]["ports"]}
        selector = monitor["spec"]["selector"]["matchLabels"].items()
        selected = [name for name, each in services.items() if selector <= each["metadata"]["labels"].items()]
        assert selected == [monitor["metadata"]["name"]], "a pod would be scraped twice"
    (rules,) = [each for each in documents if each["kind"] == "PrometheusRule"]
    boards = [each for each in documents if each["kind"] == "ConfigMap" and "-dashboard-" in each["metadata"]["name"]]
    assert all(each["metadata"]["labels"]["release"] == "prometheus" for each in (*monitors, rules, *boards))


ON = {"enabled": True}
MATCHERS = (
    'namespace="exam",service=~"exam-(web|solver|grader|beat|operator|(broker|cassandra|postgres|redis)-exporter)"'
)


def _alerts(documents) -> list[dict[str, Any]]:
    (rules,) = [each for each in documents if each["kind"] == "PrometheusRule"]
    return [rule for group in rules["spec"]["groups"] for rule in group["rules"]]


def _boards(documents) -> list[dict[str, Any]]:
    maps = [each for each in documents if each["kind"] == "ConfigMap" and "-dashboard-" in each["metadata"]["name"]]
    return [json.loads(next(iter(each["data"].values()))) for each in maps]


def test_alerts_and_dashboards_are_of_one_release() -> None:
    """If two releases have alerts and dashboards, each has its own, of its own metrics."""
    values = {"monitoring": {"serviceMonitors": ON, "rules": ON, "dashboards": ON}, "exporters": ON}
    documents = render(values)
    expressions = [alert["expr"] for alert in _alerts(documents)]
    expressions += [target["expr"] for board in _boards(documents) for p in board["panels"] for target in p["targets"]]
    assert len(expressions) == len(EXPRESSIONS)
    for expression in expressions:
        assert promql_parser.parse(expression).prettify()
        assert len(ANY_NAME.findall(expression)) == expression.count("{" + MATCHERS)
    uids = [{board["uid"] for board in _boards(each)} for each in (documents, render(values, namespace="physics"))]
    assert not uids[0] & uids[1]
    assert all(len(uid) <= 40 for uid in uids[0]), "Grafana's limit"


def test_alerts_of_metrics_without_service_monitors_select_none() -> None:
    """If my metrics are collected otherwise, they may lack a ServiceMonitor's labels, and alerts still fire."""
    assert _alerts(render({"monitoring": {"rules": ON}, "exporters": ON})) == ALERTS


def test_what_watches_the_stores_needs_their_exporters() -> None:
    """If the stores are external or have no exporters, no alert and no panel waits for their metrics."""
    monitoring = {"monitoring": {"rules": ON, "dashboards": ON, "serviceMonitors": ON}}
    external = {store: {"existingSecret": "ours"} for store in ("broker", "cassandra", "postgres", "redis")}
    for values in (monitoring, monitoring | external | {"exporters": ON}):
        documents = render(values)
        expressions = [alert["expr"] for alert in _alerts(documents)]
        expressions += [each["expr"] for board in _boards(documents) for p in board["panels"] for each in p["targets"]]
        assert expressions
        assert not [each for each in expressions if re.search(r"\b(pg|redis|exam_cassandra)_", each)]
        assert not [each for each in documents if "-exporter" in each["metadata"]["name"]]


def test_runbook_url_points_to_my_copy() -> None:
    """If I publish docs/alerts.md, each alert links to its section there."""
    url = "https://wiki.example.org/alerts"
    for alert in _alerts(render({"monitoring": {"rules": {"enabled": True, "runbookUrl": url}}})):
        assert alert["annotations"]["runbook_url"] == f"{url}#{alert['alert'].lower()}"
