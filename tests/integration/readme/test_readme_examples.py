"""The README's examples print what the comments beside them say."""

import re
import shutil
import subprocess
from collections.abc import Iterator

import pytest

from exam_harness.environments.processes.paths import REPOSITORY, new_run_folder
from exam_harness.environments.processes.stack import Stack
from exam_harness.scenarios.dev import seed

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def output() -> Iterator[list[str]]:
    """The output of the README's API examples, run in one shell."""
    text = (REPOSITORY / "README.md").read_text()
    section = text.split("## The API by hand")[1].split("\n## ")[0]
    script = "\n".join(re.findall(r"```sh\n(.*?)```", section, re.DOTALL))
    pages = re.findall(r"`(\$\w+/[^`]*docs[^`]*)`", section)
    script += "".join(f"\ncurl -sS --output /dev/null --write-out 'page %{{http_code}}\\n' {page}" for page in pages)
    folder = new_run_folder("readme")
    try:
        with Stack(folder / "run", lease_ttl_ms=5000) as stack:
            env = seed(stack) | {"PATH": "/usr/local/bin:/usr/bin:/bin"}
            completed = subprocess.run(
                ["/bin/bash", "-euo", "pipefail", "-c", script],
                env=env,
                capture_output=True,
                text=True,
                timeout=180,
                check=False,
            )
            assert completed.returncode == 0, f"{completed.stdout}\n{completed.stderr}"
            yield completed.stdout.splitlines()
    finally:
        shutil.rmtree(folder)


@pytest.mark.parametrize(
    "line",
    [
        '{"slug":"algebra-101","questions":20}',
        '{"name":"algebra-today","state":"scheduled"}',
        '{"question":0,"seq":3}',
        '{"question":0,"seq":4,"status":200}',
        '{"question":1,"seq":4,"status":200}',
        '["deadline","submitted_at"]',
        '{"state":"closing"}',
    ],
)
def test_an_example_prints_its_comment(output: list[str], line: str) -> None:
    """Each example prints what the comment beside it says."""
    assert line in output


def test_an_example_prints_a_degree(output: list[str]) -> None:
    """After publication the student's degree is printed: one question answered, one answer withdrawn."""
    degree = re.compile(r'\{"exam":"algebra-101","total":"[\d.]+","maximum":"[\d.]+","answered":1\}')
    assert any(map(degree.fullmatch, output))


def test_receipts_and_the_degree_are_verified_as_printed(output: list[str]) -> None:
    """`exam verify` prints what the README shows for a receipt that counts, a superseded and a forged one."""
    section = (REPOSITORY / "README.md").read_text().split("## The API by hand")[1].split("\n## ")[0]
    (shown,) = re.findall(r"```text\n(.*?)```", section, re.DOTALL)

    def comparable(lines: list[str]) -> list[str]:
        return [re.sub(r"student \d+|20\d\d-\S+Z|[\d.]+ of [\d.]+", "…", line) for line in lines]

    expected = shown.splitlines()
    printed = [line for line in output if not line.startswith("page ")]
    assert comparable(printed[-len(expected) :]) == comparable(expected)


def test_the_pages_of_the_apis_are_there(output: list[str]) -> None:
    """Each page that the README names describes an API."""
    assert [line for line in output if line.startswith("page ")] == ["page 200", "page 200"]


def test_a_lower_seq_is_rejected(output: list[str]) -> None:
    """The example that sends an answer with a lower seq prints 409."""
    assert any(line.startswith('{"status":409,') for line in output)
