"""The README's examples work as printed."""

import re
import shutil
import subprocess
from collections.abc import Iterator

import pytest

from exam_harness.environments.processes.paths import REPOSITORY, new_run_folder
from exam_harness.environments.processes.stack import Stack
from exam_harness.scenarios.dev import furnish

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def said() -> Iterator[list[str]]:
    """What the README's API examples print, one after the other in one shell."""
    text = (REPOSITORY / "README.md").read_text()
    section = text.split("## The API by hand")[1].split("\n## ")[0]
    script = "\n".join(re.findall(r"```sh\n(.*?)```", section, re.DOTALL))
    folder = new_run_folder("readme")
    try:
        with Stack(folder / "run", lease_ttl_ms=5000) as stack:
            environment = furnish(stack) | {"PATH": "/usr/local/bin:/usr/bin:/bin"}
            done = subprocess.run(
                ["/bin/bash", "-euo", "pipefail", "-c", script],
                env=environment,
                capture_output=True,
                text=True,
                timeout=180,
                check=False,
            )
            assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
            yield done.stdout.splitlines()
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
def test_an_example_prints_what_it_should(said: list[str], line: str) -> None:
    """Each step of the README's walk answers as the comment beside it says."""
    assert line in said


def test_the_walk_ends_with_a_degree(said: list[str]) -> None:
    """The last example shows the student's degree: one question answered, one taken back."""
    assert re.fullmatch(r'\{"exam":"algebra-101","total":"[\d.]+","maximum":"[\d.]+","answered":1\}', said[-1])


def test_a_lower_seq_is_refused_with_the_reason(said: list[str]) -> None:
    """The README's late-coming change of mind is refused."""
    assert any(line.startswith('{"status":409,') for line in said)
