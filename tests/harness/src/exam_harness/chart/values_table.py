"""``python -m exam_harness.chart.values_table``: generates the chart's README from its schema and default values."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from exam_harness.chart.render import CHART

README = CHART / "README.md"
INTRODUCTION = """# Helm chart of the exam platform

```text
helm install exam charts/exam-platform --namespace exam --values my-values.yaml
```

The chart deploys web, solver, grader, the operator with its `Exam` resource, an nginx gateway in front of them, and
PostgreSQL, Redis and Cassandra; each of the three can be external (`existingSecret`). All pods meet the restricted Pod
Security Standard: label the namespace `pod-security.kubernetes.io/enforce: restricted`. Uninstalling the release keeps
the volumes, the Secret, the CustomResourceDefinition and every `Exam`.

`templates/` has one folder per component (`web`, `solver`, `grader`, `beat`, `grading`, `operator`, `gateway`,
`migrations`, `postgres`, `redis`, `cassandra`) with one file per kind: `deployment.yaml` or `statefulset.yaml`,
`service.yaml`, `configmap.yaml`, `pdb.yaml`, `netpol.yaml`, `rbac.yaml`. The table of permitted connections is in
`templates/_helpers-netpol.tpl`.

## Values

Generated from `values.schema.json` (`make values-table`), which rejects unknown values.

| value | type | default | description |
|---|---|---|---|
"""


def table() -> str:
    """Return the README's text."""
    schema = json.loads((CHART / "values.schema.json").read_text())
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    return INTRODUCTION + "".join(
        f"| `{name}` | {kind} | {default} | {description} |\n"
        for name, kind, default, description in _rows(schema, values)
    )


def _rows(schema: Mapping[str, Any], values: object, path: str = "") -> Iterator[tuple[str, str, str, str]]:
    for name, each in schema["properties"].items():
        key = f"{path}.{name}" if path else name
        value = values.get(name) if isinstance(values, Mapping) else None
        if "properties" in each and name != "resources":
            yield from _rows(each, value, key)
        else:
            kind = " or ".join(f"`{option}`" for option in each.get("enum", ())) or str(each["type"])
            yield key, kind, f"`{json.dumps(value)}`", each["description"]


if __name__ == "__main__":
    README.write_text(table())
