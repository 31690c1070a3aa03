"""An operator of named namespaces works with the Roles that the chart gives it there."""

import json

import pytest

from exam_harness.chart.render import render
from exam_harness.faults.apiserver_proxy import FaultProxy
from exam_harness.scenarios.sitting.platform_client import PAPERS

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]


def test_roles_are_enough_in_named_namespaces(world, proxy: FaultProxy) -> None:
    """If I name the namespaces of Exams, it needs no right in the rest of the cluster."""
    own = world.operated.namespace
    documents = render({"watchNamespaces": [world.namespace]}, release="named", namespace=own)
    for kind in ("ServiceAccount", "Role", "RoleBinding"):
        for each in (each for each in documents if each["kind"] == kind):
            world.operated.apply(each, namespace=each["metadata"].get("namespace"))
    world.control_plane.kubectl("-n", own, "delete", "leases", "--all")
    operator = world.operated.operator(
        "named", server=proxy.url, account="named-operator", env={"EXAM_OPERATOR_WATCH_NAMESPACES": world.namespace}
    )
    operator.start()
    operator.await_ready()
    try:
        paper = (PAPERS / "geometry-201.yaml").read_text().replace("exam: geometry-201", "exam: geometry-named")
        secret = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "paper"},
            "type": "examplatform.dev/paper",
            "stringData": {"paper.yaml": paper},
        }
        world.kubectl("apply", "-f", "-", stdin=json.dumps(secret))
        reference = {"secretKeyRef": {"name": "paper"}}
        world.apply("named", exam="geometry-named", owner="noether", paperFrom=reference, opens_in=60)
        world.await_condition("named", "Accepted", "True")
        world.kubectl("delete", "exam", "named")
        world.await_deleted("named")
    finally:
        operator.stop()
    requests = [passed.request for passed in proxy.requests]
    assert [str(passed.request) for passed in proxy.requests if passed.status in (401, 403)] == []
    assert {request.namespace for request in requests if request.namespace} <= {own, world.namespace}
