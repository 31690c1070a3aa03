"""Writes QTI packages: an item for each question, and a test whose sections are the categories."""

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from itertools import groupby
from typing import Final

from exam_core.authoring.exam import AcceptedImage
from exam_core.numbers import decimal_text
from exam_papers.formats.archives import pack
from exam_papers.formats.losses import Losses, NotWritableError
from exam_papers.formats.model import Exported, FileQuestion, LossCode
from exam_papers.formats.qti.names import SCORE, Version
from exam_papers.formats.qti.package import MANIFEST, TOOL
from exam_papers.formats.qti.write_items import ItemWriter
from exam_papers.formats.qti.written import document, element, plain_document
from exam_papers.formats.xml_tree import Node

SUFFIX: Final = ".zip"
TEST: Final = "test.xml"
_WEIGHT: Final = "WEIGHT"
_PACKAGING: Final[Mapping[Version, tuple[str, str, str, str]]] = {
    Version.V2_1: ("http://www.imsglobal.org/xsd/imscp_v1p1", "QTIv2.1 Package", "1.0.0", "v2p1"),
    Version.V2_2: ("http://www.imsglobal.org/xsd/imscp_v1p1", "QTIv2.2 Package", "1.0.0", "v2p2"),
    Version.V3_0: ("http://www.imsglobal.org/xsd/qti/qtiv3p0/imscp_v1p1", "QTI Package", "3.0.0", "v3p0"),
}
"""The namespace of the manifest, its schema and version, and how the types of resources end."""
_TAG: Final = re.compile(r"[^\W\d][\w.-]*")


def write(
    questions: Sequence[FileQuestion],
    images: Mapping[str, AcceptedImage],
    *,
    version: Version = Version.V2_2,
) -> Exported:
    """Write questions as a QTI package."""
    losses = Losses()
    package = _PackageWriter(version)
    for question in questions:
        own = Losses()
        writer = ItemWriter(question, images, own, version)
        try:
            item = writer.item()
        except NotWritableError as error:
            losses.not_written(question, error)
            continue
        package.add(question, item, writer.texts.files, own)
        losses.merge(own)
    return Exported(data=package.data(), losses=losses.listed(), suffix=SUFFIX)


class _PackageWriter:
    """Collects the items of a package."""

    def __init__(self, version: Version) -> None:
        self.version = version
        self.files: dict[str, bytes] = {}
        self.resources: list[Node] = []
        self.refs: list[tuple[tuple[str, ...], Node]] = []

    def add(self, question: FileQuestion, item: bytes, images: Mapping[str, bytes], losses: Losses) -> None:
        """Add an item with the files of its images."""
        name = f"item-{len(self.resources) + 1}"
        path = f"items/{name}.xml"
        self.files |= {path: item, **images}
        files = [element("file", href=each) for each in (path, *images)]
        self.resources.append(element("resource", *files, identifier=name, type=self._type("item"), href=path))
        self.refs.append((_category(question, losses), self._ref(question, name, path, losses)))

    def _type(self, kind: str) -> str:
        return f"imsqti_{kind}_xml{_PACKAGING[self.version][3]}"

    @staticmethod
    def _ref(question: FileQuestion, name: str, path: str, losses: Losses) -> Node:
        tags = [tag for tag in question.tags if _TAG.fullmatch(tag)]
        losses.add(
            LossCode.LABELS, "a tag that is no name is dropped", question.question.id, len(question.tags) - len(tags)
        )
        weight, category = question.question.weight, {"category": " ".join(tags)} if tags else {}
        weights = [element("weight", identifier=_WEIGHT, value=decimal_text(weight))] if weight != Decimal(1) else []
        return element("assessmentItemRef", *weights, identifier=name, href=path, **category)

    def data(self) -> bytes:
        """Return the package."""
        refs = [element("dependency", identifierref=str(node.attributes["identifier"])) for node in self.resources]
        test = element(
            "resource", element("file", href=TEST), *refs, identifier="test", type=self._type("test"), href=TEST
        )
        namespace, schema, version, _ = _PACKAGING[self.version]
        manifest = element(
            "manifest",
            element("metadata", element("schema", schema), element("schemaversion", version)),
            element("organizations"),
            element("resources", test, *self.resources),
            xmlns=namespace,
            identifier="package",
        )
        return pack({MANIFEST: plain_document(manifest), TEST: self._test(), **self.files})

    def _test(self) -> bytes:
        section = element(
            "assessmentSection", *_sections(self.refs, 0, "section"), **_names("section", "Questions", visible="true")
        )
        total = element("testVariables", variableIdentifier=SCORE, weightIdentifier=_WEIGHT)
        return document(
            element(
                "assessmentTest",
                element("outcomeDeclaration", identifier=SCORE, cardinality="single", baseType="float"),
                element(
                    "testPart", section, identifier="part", navigationMode="nonlinear", submissionMode="individual"
                ),
                element("outcomeProcessing", element("setOutcomeValue", element("sum", total), identifier=SCORE)),
                **_names("test", "Questions", toolName=TOOL, toolVersion="1"),
            ),
            self.version,
        )


def _names(identifier: str, title: str, **others: str) -> dict[str, str]:
    return {"identifier": identifier, "title": title, **others}


def _sections(refs: Sequence[tuple[tuple[str, ...], Node]], depth: int, identifier: str) -> list[Node]:
    """Return references, and a section for each name of a category at this depth."""
    found: list[Node] = []
    for name, group in groupby(refs, key=lambda ref: ref[0][depth] if len(ref[0]) > depth else None):
        if name is None:
            found += [node for _, node in group]
            continue
        inner = f"{identifier}-{len(found) + 1}"
        attributes = _names(inner, name, visible="true")
        found.append(element("assessmentSection", *_sections(list(group), depth + 1, inner), **attributes))
    return found


def _category(question: FileQuestion, losses: Losses) -> tuple[str, ...]:
    names = tuple(name.strip() for name in question.category if name.strip())
    changed = int(names != question.category)
    losses.add(LossCode.LABELS, "the names of the category are changed", question.question.id, changed)
    return names
