"""Requests to the API server are parsed into their authorization attributes."""

import pytest

from exam_harness.environments.control_plane.api_request import ApiRequest

EXAMS = "/apis/examplatform.dev/v1alpha1"
APPLY = "application/apply-patch+yaml"


@pytest.mark.parametrize(
    ("method", "path", "query", "content_type", "permissions", "target"),
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
def test_a_request_needs_the_permissions_of_roles(method, path, query, content_type, permissions, target) -> None:
    """If I parse a recorded request, I get the permissions that a role has to grant for it, and its target."""
    request = ApiRequest.parse(method, path, query, content_type)
    assert request.permissions == permissions
    assert (request.namespace, request.name) == target
    assert request.mutating == (method != "GET")
