"""The documentation refers only to things that exist, and the checker finds those that do not."""

import re

import pytest

from exam_harness.documentation import Repository, anchors, broken_references
from exam_harness.environments.processes.paths import REPOSITORY

HERE = Repository(REPOSITORY)
DOCUMENTS = {path.relative_to(REPOSITORY).as_posix(): path for path in HERE.documents()}


def _broken(text, place="docs/architecture.md") -> list[str]:
    return [each.reference for each in broken_references(text, REPOSITORY / place, HERE)]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_reference_resolves(name) -> None:
    """If I follow a module, a path, a link or a make target of a document, it exists."""
    path = DOCUMENTS[name]
    found = list(broken_references(path.read_text(), path, HERE))
    assert not found, "\n".join(f"{name}:{each.line}: {each.reference}: {each.reason}" for each in found)


def test_the_documents_of_every_folder_are_checked() -> None:
    """If I write a README of a member, an ADR or a page in docs, it is checked."""
    assert {"README.md", "CONTRIBUTING.md", "docs/architecture.md", "operator/README.md"} <= DOCUMENTS.keys()
    assert {
        "charts/exam-platform/README.md",
        "docs/adr/0001-records.md",
        "services/grader/README.md",
    } <= DOCUMENTS.keys()


def test_the_index_lists_each_decision_once_with_its_number_and_title() -> None:
    """If I look for a decision in the index, it is there once, under the number and title of its page, in order."""
    folder = REPOSITORY / "docs/adr"
    pages = [path for path in sorted(folder.glob("*.md")) if path.name != "README.md"]
    titles = [path.read_text().splitlines()[0].removeprefix("# ") for path in pages]
    numbers, decisions = zip(*(title.split(". ", 1) for title in titles), strict=True)
    rows = re.findall(r"^\| \d+ \|.*$", (folder / "README.md").read_text(), flags=re.MULTILINE)
    expected = zip(numbers, decisions, pages, strict=True)
    assert rows == [f"| {number} | [{decision}]({page.name}) |" for number, decision, page in expected]
    assert [int(page.name[:4]) for page in pages] == [int(number) for number in numbers]
    assert len(set(numbers)) == len(pages)


@pytest.mark.parametrize(
    "reference",
    [
        "`exam_core.no_such_module`",
        "`exam_core.windows.no_such_function`",
        "`exam_web.sittings.models.Sitting.no_such_field`",
        "`exam_nonsense.windows`",
        "`services/no-such-service`",
        "`tests/harness/no_such_file.py`",
        "`no_such_file.yaml`",
        "`k8s/offline/*/no.such`",
        "[link](no-such-page.md)",
        "[link](../charts/no-such-chart/)",
        "[link](#no-such-section)",
        "[link](alerts.md#no-such-alert)",
        "`make no-such-target`",
        "`KEEP=1 make no-such-target`",
        "`python -m exam_harness.no_such_command`",
        "```sh\nmake no-such-target   # comment\n```",
        "```text\nkubectl exec deploy/exam-web -- python -m exam_nonsense migrate\n```",
    ],
)
def test_a_reference_to_nothing_is_found(reference) -> None:
    """If a document refers to something that does not exist, the check fails (negative control)."""
    assert _broken(f"# Title\n\nA sentence with {reference} in it.\n".replace("with ```", "with\n```"))


@pytest.mark.parametrize(
    "reference",
    [
        "`exam_core.windows.check_change`",
        "`exam_web.sittings.models.Sitting.epoch`",
        "`exam_core.problems`",
        "`services/core`",
        "`crds/exams.yaml`",
        "`k8s/offline/*/go.mod`",
        "`build/demo/report.json`",
        "`application/problem+json`",
        "`exam_grader_queue_depth{queue}`",
        "[link](alerts.md#examanswersnotsaved)",
        "[link](../README.md)",
        "[link](https://example.org/no-such-page.md)",
        "`KEEP=1 make demo`",
        "`make test`",
        "`python -m exam_web create_admin`",
    ],
)
def test_a_reference_to_something_is_accepted(reference) -> None:
    """If a document refers to something that exists, or to something outside the repository, the check passes."""
    assert _broken(f"A sentence with {reference} in it.") == []


def test_anchors_are_those_of_github() -> None:
    """If I link to a heading with code, punctuation or a repeated name, the anchor is the one that GitHub generates."""
    text = "# The `Exam` resource, and [its](x.md) operator\n## Values\n```\n# comment\n```\n## Values\n"
    assert anchors(text) == ["the-exam-resource-and-its-operator", "values", "values-1"]


def test_the_index_lists_every_decision_with_its_title() -> None:
    """If I write a decision, the index names it, and no other page has its number."""
    index = (REPOSITORY / "docs/adr/README.md").read_text()
    pages = sorted((REPOSITORY / "docs/adr").glob("[0-9]*.md"))
    numbers = [int(page.name[:4]) for page in pages]
    assert len(set(numbers)) == len(numbers)
    for number, page in zip(numbers, pages, strict=True):
        title = page.read_text().splitlines()[0].removeprefix(f"# {number}. ")
        assert f"| {number} | [{title}]({page.name}) |" in index


def test_the_index_links_every_page() -> None:
    """If I write a page in docs, the index leads to it."""
    linked = set(re.findall(r"\]\(([\w-]+\.md)\)", (REPOSITORY / "docs/README.md").read_text()))
    assert linked == {path.name for path in (REPOSITORY / "docs").glob("*.md")} - {"README.md"}


def test_architecture_names_every_room() -> None:
    """If I add a room to a package, the architecture page says what it is for."""
    text = (REPOSITORY / "docs/architecture.md").read_text()
    packages = [name.removesuffix("/py.typed") for name in HERE.files if name.endswith("/py.typed")]
    rooms = {
        f"{package.rsplit('/', 1)[-1]}.{name.removeprefix(f'{package}/').removesuffix('/__init__.py')}"
        for package in packages
        for name in HERE.files
        if re.fullmatch(rf"{re.escape(package)}/\w+/__init__\.py", name)
    }
    missing = {room for room in rooms if f"`{room}`" not in text and not room.endswith(".testing")}
    assert not missing
