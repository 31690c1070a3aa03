"""``python -m exam_harness.chart.values_table``: the chart's README, made from its schema and its values."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from exam_harness.chart.render import CHART

README = CHART / "README.md"
INTRODUCTION = """# The chart of the exam platform

```text
helm install exam charts/exam-platform --namespace exam --values my-values.yaml
```

It deploys web, solvers, graders, the operator with its `Exam` resource, the gateway in front of them, and PostgreSQL,
Redis and Cassandra, each of which may be an external one (`existingSecret`). Label the namespace
`pod-security.kubernetes.io/enforce: restricted`: everything here fits into it. What outlives the release: volumes, the
Secret, the resource's definition and every `Exam`.

## Values

Any other is refused by `values.schema.json`, from which this table is made (`make values-table`).

| value | type | default | meaning |
|---|---|---|---|
"""


def table() -> str:
    """The whole page."""
    schema = json.loads((CHART / "values.schema.json").read_text())
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    return INTRODUCTION + "".join(
        f"| `{name}` | {kind} | {default} | {meaning} |\n" for name, kind, default, meaning in _rows(schema, values)
    )


def _rows(schema: Mapping[str, Any], values: object, path: str = "") -> Iterator[tuple[str, str, str, str]]:
    for name, each in schema["properties"].items():
        here = f"{path}.{name}" if path else name
        value = values.get(name) if isinstance(values, Mapping) else None
        if "properties" in each and name != "resources":
            yield from _rows(each, value, here)
        else:
            kind = " or ".join(f"`{option}`" for option in each.get("enum", ())) or str(each["type"])
            yield f"`{here}`", kind, f"`{json.dumps(value)}`", each["description"]


if __name__ == "__main__":
    README.write_text(table())
