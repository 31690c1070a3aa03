"""Requests to the API server as its authorizer sees them."""

import pytest

from exam_harness.environments.control_plane.api_request import ApiRequest

EXAMS = "/apis/examplatform.dev/v1alpha1"
APPLY = "application/apply-patch+yaml"


@pytest.mark.parametrize(
    ("method", "path", "query", "content", "rights", "place"),
    [
        ("GET", f"{EXAMS}/exams", {}, "", {("examplatform.dev", "exams", "list")}, ("", "")),
        ("GET", f"{EXAMS}/exams", {"watch": "true"}, "", {("examplatform.dev", "exams", "watch")}, ("", "")),
        ("GET", f"{EXAMS}/namespaces/n/exams/e", {}, "", {("examplatform.dev", "exams", "get")}, ("n", "e")),
        (
            "PUT",
            f"{EXAMS}/namespaces/n/exams/e/status",
            {},
            "application/json",
            {("examplatform.dev", "exams/status", "update")},
            ("n", "e"),
        ),
        ("POST", "/api/v1/namespaces/n/events", {}, "application/json", {("", "events", "create")}, ("n", "")),
        ("GET", "/api/v1/namespaces/n", {}, "", {("", "namespaces", "get")}, ("", "n")),
        ("GET", "/api/v1/namespaces", {}, "", {("", "namespaces", "list")}, ("", "")),
        ("DELETE", "/apis/batch/v1/namespaces/n/jobs/j", {}, "", {("batch", "jobs", "delete")}, ("n", "j")),
        (
            "PATCH",
            "/apis/policy/v1/namespaces/n/poddisruptionbudgets/p",
            {},
            APPLY,
            {("policy", "poddisruptionbudgets", "patch"), ("policy", "poddisruptionbudgets", "create")},
            ("n", "p"),
        ),
        ("GET", "/version", {}, "", set(), ("", "")),
        ("GET", "/apis", {}, "", set(), ("", "")),
        ("GET", EXAMS, {}, "", set(), ("", "")),
        ("GET", "/api/v1", {}, "", set(), ("", "")),
    ],
)
def test_a_request_takes_the_rights_that_roles_name(method, path, query, content, rights, place) -> None:
    """If I read a recorded request, I see what a role has to grant for it, and on what."""
    read = ApiRequest.read(method, path, query, content)
    assert read.permissions == rights
    assert (read.namespace, read.name) == place
    assert read.mutating == (method != "GET")
