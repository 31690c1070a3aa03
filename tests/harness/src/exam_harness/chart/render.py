"""Render the chart's manifests with helm."""

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from exam_core.canonical import JsonObject
from exam_harness.environments.builds.binaries import program
from exam_harness.environments.processes.paths import REPOSITORY

CHART = REPOSITORY / "charts/exam-platform"
RELEASE = "exam"
NAMESPACE = "exam"
SECRET = "exam-secrets"


class RenderError(Exception):
    """Helm failed; the message is its output."""


def render(
    values: JsonObject | None = None,
    *,
    files: Sequence[Path] = (),
    arguments: Sequence[str] = (),
    chart: Path = CHART,
    release: str = RELEASE,
    namespace: str = NAMESPACE,
) -> list[dict[str, Any]]:
    """Return every manifest of a release, by default `exam` in a namespace `exam`; `values` override `files`.

    The Secret exists, under the name that the chart would give it, unless `values` has another one: without a cluster,
    the chart generates none.

    Raises:
        RenderError: the schema rejects a value, or a template fails.
    """
    command = [str(program("helm")), "template", release, str(chart), f"--namespace={namespace}"]
    command += [*(f"--values={path}" for path in files), "--values=-", *arguments]
    given = {"secrets": {"existingSecret": SECRET}} | dict(values or {})
    completed = subprocess.run(command, input=json.dumps(given), capture_output=True, text=True, check=False)
    if completed.returncode:
        raise RenderError(completed.stderr)
    return [document for document in yaml.safe_load_all(completed.stdout) if document]


def pods_of(documents: Sequence[JsonObject]) -> dict[str, dict[str, Any]]:
    """Return the pod templates of all workloads by ``Kind/name``, including that of grading Jobs."""
    templates = {}
    for document in documents:
        name = f"{document['kind']}/{document['metadata']['name']}"
        if document["kind"] in {"Deployment", "StatefulSet", "Job"}:
            templates[name] = document["spec"]["template"]
        elif document["kind"] == "Pod":
            templates[name] = document
        elif document["kind"] == "ConfigMap" and "job-template.yaml" in document["data"]:
            templates["Job/grading"] = yaml.safe_load(document["data"]["job-template.yaml"])
    return templates


def component_of(labelled: JsonObject) -> str:
    """Return the component label of an object or a pod template."""
    return str(labelled["metadata"]["labels"]["app.kubernetes.io/component"])
