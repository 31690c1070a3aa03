"""The chart's manifests as helm renders them."""

import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from exam_harness.environments.builds.binaries import program
from exam_harness.environments.processes.paths import REPOSITORY

CHART = REPOSITORY / "charts/exam-platform"
RELEASE = "exam"
NAMESPACE = "exam"

Json = Mapping[str, Any]


class RenderError(Exception):
    """Helm refused; the message is what it said."""


def render(
    values: Json | None = None, *, files: Sequence[Path] = (), words: Sequence[str] = ()
) -> list[dict[str, Any]]:
    """Every manifest of a release `exam` in a namespace `exam`; `values` win over `files`.

    Raises:
        RenderError: values or templates are refused.
    """
    command = [str(program("helm")), "template", RELEASE, str(CHART), f"--namespace={NAMESPACE}"]
    command += [*(f"--values={path}" for path in files), "--values=-", *words]
    done = subprocess.run(command, input=json.dumps(values or {}), capture_output=True, text=True, check=False)
    if done.returncode:
        raise RenderError(done.stderr)
    return [document for document in yaml.safe_load_all(done.stdout) if document]


def pods_of(documents: Sequence[Json]) -> dict[str, dict[str, Any]]:
    """The pod templates of all workloads by ``Kind/name``, a grading Job's among them."""
    found = {}
    for document in documents:
        name = f"{document['kind']}/{document['metadata']['name']}"
        if document["kind"] in {"Deployment", "StatefulSet", "Job"}:
            found[name] = document["spec"]["template"]
        elif document["kind"] == "Pod":
            found[name] = document
        elif document["kind"] == "ConfigMap" and "job-template.yaml" in document["data"]:
            found["Job/grading"] = yaml.safe_load(document["data"]["job-template.yaml"])
    return found


def component_of(labelled: Json) -> str:
    """The component that an object or a pod template is of."""
    return str(labelled["metadata"]["labels"]["app.kubernetes.io/component"])
