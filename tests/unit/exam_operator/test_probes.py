"""Probes and metrics of the operator over HTTP."""

import httpx

from exam_operator import metrics
from exam_operator.runtime.probes import serve_probes
from exam_runtime.health import CheckResult


async def test_probes_return_the_shared_health_body() -> None:
    """If I probe the operator, it answers as every service: liveness by its watch, readiness by its first list too."""
    checks = {"watch": CheckResult(ok=True), "exams_listed": CheckResult(ok=False, detail="not yet")}
    probes = serve_probes(
        "127.0.0.1",
        0,
        liveness={"watch": lambda: checks["watch"]},
        readiness={"exams_listed": lambda: checks["exams_listed"]},
        scrape=lambda: metrics.EXAMS.set(3),
    )
    async with probes as port, httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as http:
        live = await http.get("/healthz")
        assert (live.status_code, live.json()["status"], live.json()["checks"].keys()) == (200, "ok", {"watch"})
        unready = await http.get("/readyz")
        assert (unready.status_code, unready.json()["status"]) == (503, "failing")
        assert unready.json()["checks"]["exams_listed"] == {"ok": False, "required": True, "detail": "not yet"}
        checks["exams_listed"] = CheckResult(ok=True)
        assert (await http.get("/readyz")).status_code == 200
        checks["watch"] = CheckResult(ok=False, detail="stalled")
        assert [(await http.get(path)).status_code for path in ("/healthz", "/readyz")] == [503, 503]
        assert "exam_operator_exams 3.0" in (await http.get("/metrics")).text


async def test_probes_are_served_on_both_families() -> None:
    """If the pod has IPv6 alone, or both, the kubelet and Prometheus reach the port."""
    async with (
        serve_probes("::", 0, liveness={}, readiness={}, scrape=lambda: None) as port,
        httpx.AsyncClient(trust_env=False) as http,
    ):
        for address in ("127.0.0.1", "[::1]"):
            assert (await http.get(f"http://{address}:{port}/healthz")).status_code == 200
