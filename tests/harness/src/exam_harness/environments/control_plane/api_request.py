"""A request to the API server as its authorizer sees it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_APPLY = "application/apply-patch+yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiRequest:
    """What is asked for.

    Attributes:
        verbs: what rights it takes; more than one for an apply, which may create.
        group: the API group, empty for the core's.
        resource: with its subresource, as roles have it (``exams/status``); empty for what is no resource.
        namespace: empty for what is in none, and for all namespaces.
        name: empty for a collection.
        path: the path alone.
    """

    verbs: tuple[str, ...]
    group: str
    resource: str
    namespace: str
    name: str
    path: str

    @classmethod
    def read(cls, method: str, path: str, query: Mapping[str, str], content_type: str = "") -> Self:
        """Read a request's method and address."""
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
        """(group, resource, verb) of every right that it takes; none for what is no resource."""
        return {(self.group, self.resource, verb) for verb in self.verbs} if self.resource else set()

    @property
    def mutating(self) -> bool:
        """Whether it may change something."""
        return bool(set(self.verbs) & set(_VERBS.values()))

    def __str__(self) -> str:
        return f"{self.verbs[0]} {self.resource or self.path} {self.namespace}/{self.name}"


def _verbs(method: str, name: str, query: Mapping[str, str], content_type: str) -> tuple[str, ...]:
    if method == "GET":
        if query.get("watch") in {"true", "1"}:
            return ("watch",)
        return ("get",) if name else ("list",)
    return ("patch", "create") if content_type.startswith(_APPLY) else (_VERBS[method],)
