"""Parse a request to the API server into the attributes that its authorizer checks."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_APPLY = "application/apply-patch+yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiRequest:
    """The authorization attributes of a request.

    Attributes:
        verbs: the verbs it needs; more than one for an apply, which may create.
        group: the API group; empty for the core group.
        resource: the resource and subresource as in roles (``exams/status``); empty for a non-resource URL.
        namespace: empty for cluster-scoped resources and for all namespaces.
        name: empty for a collection.
        path: the path without the query.
    """

    verbs: tuple[str, ...]
    group: str
    resource: str
    namespace: str
    name: str
    path: str

    @classmethod
    def parse(cls, method: str, path: str, query: Mapping[str, str], content_type: str = "") -> Self:
        """Parse a request's method, URL and content type."""
        parts = path.strip("/").split("/")
        group, rest = ("", parts[2:]) if parts[0] == "api" else ("/".join(parts[1:2]), parts[3:])
        if parts[0] not in {"api", "apis"} or not rest:
            return cls(verbs=(method.lower(),), group="", resource="", namespace="", name="", path=path)
        namespace = ""
        if rest[0] == "namespaces" and len(rest) > 2:
            namespace, rest = rest[1], rest[2:]
        resource, name, sub = [*rest, "", ""][:3]
        return cls(
            verbs=_verbs(method, name, query, content_type),
            group=group,
            resource=f"{resource}/{sub}" if sub else resource,
            namespace=namespace,
            name=name,
            path=path,
        )

    @property
    def permissions(self) -> set[tuple[str, str, str]]:
        """(group, resource, verb) of every permission it needs; empty for a non-resource URL."""
        return {(self.group, self.resource, verb) for verb in self.verbs} if self.resource else set()

    @property
    def mutating(self) -> bool:
        """Whether it may change an object."""
        return bool(set(self.verbs) & set(_VERBS.values()))

    def __str__(self) -> str:
        return f"{self.verbs[0]} {self.resource or self.path} {self.namespace}/{self.name}"


def _verbs(method: str, name: str, query: Mapping[str, str], content_type: str) -> tuple[str, ...]:
    if method == "GET":
        if query.get("watch") in {"true", "1"}:
            return ("watch",)
        return ("get",) if name else ("list",)
    return ("patch", "create") if content_type.startswith(_APPLY) else (_VERBS[method],)
