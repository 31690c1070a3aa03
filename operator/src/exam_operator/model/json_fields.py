"""Dataclasses that mirror a JSON object of the Kubernetes API."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Self

from exam_core.canonical import JsonObject
from exam_operator.model.instants import format_instant, parse_instant


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonFields:
    """Base class: the field ``opens_at`` is the member ``opensAt``, and a field that is None is left out.

    Attributes:
        unknown: members that have no field. They survive a round trip, so that an older operator does not drop what a
            newer one wrote.
    """

    unknown: JsonObject = field(default_factory=dict)

    @classmethod
    def from_json(cls, body: JsonObject) -> Self:
        """Parse an object."""
        members = dict(body)
        values: dict[str, Any] = {}
        for each in fields(cls):
            member = members.pop(_camel_case(each.name), None)
            if member is not None:
                values[each.name] = each.metadata.get("decode", _identity)(member)
        return cls(**values, unknown=members)

    def to_json(self) -> dict[str, Any]:
        """The object as the API server has it."""
        body = dict(self.unknown)
        for each in fields(self):
            value = getattr(self, each.name)
            if value is not None and each.name != "unknown":
                body[_camel_case(each.name)] = each.metadata.get("encode", _identity)(value)
        return body


def codec(decode: Callable[[Any], Any], encode: Callable[[Any], Any]) -> Mapping[str, Any]:
    """The metadata of a field whose JSON differs from its value."""
    return {"decode": decode, "encode": encode}


def nested(kind: type[JsonFields]) -> Mapping[str, Any]:
    """The metadata of a field that is an object itself."""
    return codec(kind.from_json, kind.to_json)


def _parse_instant_or_none(text: str) -> int | None:
    try:
        return parse_instant(text)
    except ValueError:
        return None


def _camel_case(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(map(str.capitalize, rest))


def _identity(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    return value


INSTANT = codec(_parse_instant_or_none, format_instant)
"""The metadata of an instant: µs here, RFC 3339 in JSON. Text that cannot be parsed counts as absent."""
