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
PostgreSQL, Redis (cache and broker) and Cassandra; each of these can be external (`existingSecret`). All pods meet the
restricted Pod Security Standard: label the namespace `pod-security.kubernetes.io/enforce: restricted`. Uninstalling the
release keeps the volumes, the Secret, the CustomResourceDefinition and every `Exam`.

`templates/` has one folder per component (`web`, `solver`, `grader`, `beat`, `grading`, `operator`, `gateway`,
`migrations`, `postgres`, `redis`, `broker`, `cassandra`, `exporters`) with one file per kind: `deployment.yaml` or
`statefulset.yaml`, `service.yaml`, `configmap.yaml`, `pdb.yaml`, `netpol.yaml`, `rbac.yaml`. The table of permitted
connections is in `templates/_helpers-netpol.tpl`.

## Secrets, and GitOps

`helm install` generates passwords and signing keys once and keeps them on every upgrade, reading the cluster.
`helm template`, Argo CD and other tools that render without a cluster would generate new ones each time, so that the
chart refuses to be rendered without `secrets.existingSecret`. Make the Secret once; `create` rejects one that exists:

```text
sh charts/exam-platform/create-secret.sh exam exam-secrets | kubectl create -f -
helm template exam charts/exam-platform --namespace exam --set secrets.existingSecret=exam-secrets
```

For a repository, encrypt the output of `create-secret.sh` (kubeseal, sops) instead. A release that `helm install` has
installed already has the Secret, which is kept: set `secrets.existingSecret` to its name.

## Namespaces, and more than one release

With `watchNamespaces` empty, the operator reconciles the Exams of all namespaces, by a ClusterRole. It reads the
Secrets of its own namespace alone, unless `operator.readAllSecrets` is set; a namespace whose Exams have
`spec.paperFrom` grants it:

```text
kubectl -n maths create role exam-papers --verb=get --resource=secrets
kubectl -n maths create rolebinding exam-papers --role=exam-papers --serviceaccount=exam:exam-operator
```

With `watchNamespaces` named, the operator has Roles there, with the right to read Secrets, and none in the cluster.

Each Exam has one operator. Several releases in one cluster name different namespaces, and one of them installs the
CustomResourceDefinition. A release whose operator would reconcile the Exams of another one is refused, where the chart
can read the cluster:

```yaml
watchNamespaces: [physics]
crds: {install: false}
```

The cluster's roles view, edit and admin include Exams (`crds.roles`).

## TLS

TLS ends at the Ingress controller or Gateway: `ingress.tls`, or a listener of the Gateway. The platform has to know
which pods these are, because they report the client's address and its `https://`. Without `gateway.trustedProxies`
the chart refuses to install (unless `hosts.web` is localhost), with what to set:

```yaml
hosts: {web: exams.example.org, solver: solver.example.org}
ingress: {tls: [{hosts: [exams.example.org, solver.example.org], secretName: exam-tls}]}
gateway: {trustedProxies: [10.244.0.0/16]}   # the pods of the Ingress controller
```

Requests that the proxy received at `http://` are redirected (308), and responses at `https://` have
`Strict-Transport-Security` for a year, on both hosts. With `insecureHttp`, neither.

External stores are verified by the certificates in a Secret's `ca.crt`, or by the system's authorities:

```yaml
postgres: {existingSecret: pg, tls: {mode: verify-full, caSecret: pg-ca}}
redis: {existingSecret: redis, tls: {caSecret: redis-ca}}     # a `url` that begins with rediss://
broker: {existingSecret: broker, tls: {caSecret: redis-ca}}   # `web-url` and `grader-url`
cassandra: {existingSecret: cassandra, port: 9142, tls: {mode: verify-ca, caSecret: cassandra-ca}}
```

## Pods

`web`, `solver`, `grader`, `operator`, `gateway`, `postgres`, `redis`, `broker` and `cassandra` each have
`nodeSelector`, `tolerations`, `affinity`, `topologySpreadConstraints`, `podLabels`, `podAnnotations`, `extraEnv`,
`extraVolumes`, `extraVolumeMounts`, `image.digest` and `runAsUser`; so has `exporters` for all exporters. Those of
`web` hold for the migrations too, those of `grader` for grading Jobs and beat. On OpenShift, set each `runAsUser` to
null, and `networkPolicies.dnsPorts` to `[5353]`.

While a sitting is open, a ValidatingAdmissionPolicy (`admissionPolicy`) rejects changes of web, solver and gateway that
would replace their pods, such as `kubectl rollout restart`; the message says how to do it nevertheless.

## Monitoring

`exporters.enabled` deploys an exporter for each store of the chart, with alerts and a dashboard of their own. A Secret
that you made before needs three more keys: `postgres-monitoring-password`, `redis-monitoring-password` and
`cassandra-monitoring-password`. Exporters listen at 9187, 9121 and 9142; open them with `networkPolicies.metricsFrom`.

With `monitoring.serviceMonitors`, alerts and dashboards select the metrics of this release;
`monitoring.rules.runbookUrl` makes `runbook_url` of each alert.

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
