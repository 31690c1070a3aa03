"""The operator's settings at start-up."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from exam_operator.settings import OperatorSettings
from exam_runtime.settings import EXIT_CONFIG, load_settings

VARIABLES = {
    "EXAM_OPERATOR_WEB_URL": "http://web:8001",
    "EXAM_OPERATOR_SERVICE_KEYS_FILE": "/no/such/keys.pem",
    "EXAM_OPERATOR_NAMESPACE": "exam",
    "EXAM_OPERATOR_SOLVER_DEPLOYMENT": "exam-solver",
    "EXAM_OPERATOR_GRADER_DEPLOYMENT": "exam-grader",
    "EXAM_OPERATOR_WEB_DEPLOYMENT": "exam-web",
    "EXAM_OPERATOR_JOB_TEMPLATE_FILE": "/no/such/file.yaml",
}


def start(variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Start the operator with some variables."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("EXAM_")}
    return subprocess.run(
        [sys.executable, "-m", "exam_operator"],
        env=kept | variables,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_every_wrong_variable_is_named() -> None:
    """If settings are missing or invalid, the operator names each of them and exits with 78."""
    ended = start({"EXAM_OPERATOR_MAX_JOBS": "0"})
    assert ended.returncode == EXIT_CONFIG
    for name in ("WEB_URL", "SERVICE_KEYS_FILE", "NAMESPACE", "MAX_JOBS"):
        assert f"EXAM_OPERATOR_{name}" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_missing_job_template_is_named() -> None:
    """If the file of the job template does not exist, the operator names its variable and exits with 78."""
    ended = start(VARIABLES)
    assert ended.returncode == EXIT_CONFIG
    assert "EXAM_OPERATOR_JOB_TEMPLATE_FILE" in ended.stderr
    assert "/no/such/file.yaml" in ended.stderr


def test_missing_service_keys_are_named(tmp_path: Path) -> None:
    """If the file of the keys that sign requests to web has none, the operator names its variable and exits with 78."""
    template, keys = tmp_path / "template.yaml", tmp_path / "keys.pem"
    template.write_text("spec: {}")
    keys.write_text("no key")
    files = {"EXAM_OPERATOR_JOB_TEMPLATE_FILE": str(template), "EXAM_OPERATOR_SERVICE_KEYS_FILE": str(keys)}
    ended = start(VARIABLES | files)
    assert ended.returncode == EXIT_CONFIG
    assert "EXAM_OPERATOR_SERVICE_KEYS_FILE" in ended.stderr
    assert "no key" not in ended.stderr


@pytest.mark.parametrize(
    ("text", "namespaces"), [("", ()), ("exams", ("exams",)), (" maths, physics ,", ("maths", "physics"))]
)
def test_namespaces_are_separated_by_commas(
    monkeypatch: pytest.MonkeyPatch, text: str, namespaces: tuple[str, ...]
) -> None:
    """If I list namespaces, those are watched; none means all."""
    for name, value in {**VARIABLES, "EXAM_OPERATOR_WATCH_NAMESPACES": text}.items():
        monkeypatch.setenv(name, value)
    settings = load_settings(OperatorSettings)
    assert settings.watch_namespaces == namespaces
    assert settings.job_template_file == Path("/no/such/file.yaml")
