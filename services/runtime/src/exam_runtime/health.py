"""One body for ``/healthz`` and ``/readyz`` of every service.

.. code-block:: json

    {"status": "ok", "checks": {"database": {"ok": true, "required": true, "detail": "schema is current"}}}

``status`` is ``failing`` (HTTP 503) when a required check failed, ``degraded`` (200) when only others did, else ``ok``.
Details are shown to anyone who can reach the port: no addresses and no credentials in them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

PROBE_PATHS = ("/healthz", "/readyz", "/metrics")
"""The paths that Kubernetes and Prometheus ask, in every service."""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The outcome of one check.

    Attributes:
        ok: whether it passed.
        detail: what was found, for people.
        required: whether the service cannot work without it.
    """

    ok: bool
    detail: str = "ok"
    required: bool = True


def health_report(checks: Mapping[str, CheckResult]) -> tuple[int, dict[str, Any]]:
    """HTTP status and body for some checks by name."""
    failed = [check for check in checks.values() if not check.ok]
    failing = any(check.required for check in failed)
    body = {
        "status": "failing" if failing else "degraded" if failed else "ok",
        "checks": {
            name: {"ok": check.ok, "required": check.required, "detail": check.detail} for name, check in checks.items()
        },
    }
    return (HTTPStatus.SERVICE_UNAVAILABLE if failing else HTTPStatus.OK).value, body
