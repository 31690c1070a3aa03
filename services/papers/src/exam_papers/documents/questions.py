"""A question by itself as a JSON object: as documents list it, without its id, and with images by their digests."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import yaml

from exam_core.authored import AuthoredQuestion, TextFormat
from exam_core.authoring.nodes import NodeReader
from exam_core.authoring.questions import QuestionReader
from exam_core.images import ImageRef
from exam_papers.documents.writing import question_body

MAX_DEPTH: Final = 6
"""Levels of nesting; a question needs three."""
_TAG: Final = "tag:yaml.org,2002:"
_IMAGE: Final = "image"


@dataclass(frozen=True, slots=True)
class PlacedFault:
    """What is wrong with a question, and where, like `choices[1].credit`; empty for the question itself."""

    where: str
    reason: str


def write_question(question: AuthoredQuestion) -> dict[str, Any]:
    """Return a question as a JSON object; members that have their default are left out.

    Raises:
        AcceptedNumberError: an accepted number has no finite decimal form.
    """
    body = question_body(question, TextFormat.MARKDOWN, lambda ref: ref.sha256)
    del body["id"]
    return body


def images_of(body: object) -> set[str]:
    """Return the digests of the images that a question's object names."""
    return set(_images(body, MAX_DEPTH))


def read_question(
    body: Mapping[str, Any], *, ident: str, images: Mapping[str, ImageRef]
) -> tuple[AuthoredQuestion | None, list[PlacedFault]]:
    """Read a question from its object, and list every fault; the question is valid only if there are none.

    The rules are those of documents; texts are not rendered.

    Args:
        body: the question, which has no id.
        ident: the id that it gets.
        images: the images that exist, by their digests.
    """
    nodes = NodeReader()
    places = _Places()

    def image(node: yaml.Node | None) -> ImageRef | None:
        digest = nodes.scalar(node, _IMAGE)
        if node is None or digest is None:
            return None
        if digest not in images:
            nodes.fault(node, "no image has this digest: upload it first")
        return images.get(digest)

    root = places.node({"id": ident}, "", MAX_DEPTH)
    root.value.extend(places.node(body, "", MAX_DEPTH).value)
    question = QuestionReader(nodes, image).question(root, {})
    faults = [PlacedFault(places.names[fault.line - 1], fault.reason) for fault in nodes.faults]
    return question, [*places.faults, *faults]


def _images(value: object, depth: int) -> Iterator[str]:
    if isinstance(value, Mapping) and depth:
        for name, each in value.items():
            if name == _IMAGE and isinstance(each, str):
                yield each
            else:
                yield from _images(each, depth - 1)
    elif isinstance(value, list) and depth:
        for each in value:
            yield from _images(each, depth - 1)


@dataclass
class _Places:
    """Makes nodes of JSON values; the line of a node is the number of its place."""

    names: list[str] = field(default_factory=list)
    faults: list[PlacedFault] = field(default_factory=list)

    def node(self, value: object, place: str, depth: int) -> yaml.Node:
        """Return the node of a value, whose members and items have places of their own."""
        mark = yaml.Mark("", 0, len(self.names), 0, None, 0)
        self.names.append(place)
        if isinstance(value, Mapping | list) and not depth:
            self.faults.append(PlacedFault(place, "is nested too deeply"))
            return yaml.SequenceNode(f"{_TAG}seq", [], mark, mark)
        if isinstance(value, Mapping):
            pairs = [
                (self.node(name, place, 0), self.node(each, f"{place}.{name}" if place else str(name), depth - 1))
                for name, each in value.items()
            ]
            return yaml.MappingNode(f"{_TAG}map", pairs, mark, mark)
        if isinstance(value, list):
            items = [self.node(each, f"{place}[{number}]", depth - 1) for number, each in enumerate(value)]
            return yaml.SequenceNode(f"{_TAG}seq", items, mark, mark)
        kind, text = _scalar(value)
        return yaml.ScalarNode(f"{_TAG}{kind}", text, mark, mark)


def _scalar(value: object) -> tuple[str, str]:
    """Return the tag and the text of a single value."""
    if isinstance(value, bool):
        return "bool", str(value).lower()
    if value is None:
        return "null", "null"
    return ("str", value) if isinstance(value, str) else ("float", str(value))
