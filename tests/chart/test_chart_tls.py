"""TLS: values that cannot work behind an Ingress are refused, and the options of external stores are rendered."""

from typing import Any

import pytest

from exam_harness.chart.render import RenderError, component_of, pods_of, render

STORE_CLIENTS = {"web", "solver", "grader", "beat", "grading", "migrations"}
CLIENTS = {"redis": {"web", "migrations", "solver"}, "broker": {"web", "migrations", "grader", "beat", "grading"}}
HOSTS = {"hosts": {"web": "exams.example.org", "solver": "solver.example.org"}}
TLS = {"ingress": {"tls": [{"hosts": ["localhost"], "secretName": "tls"}]}}
ROUTE = {"ingress": {"enabled": False}, "httpRoute": {"enabled": True, "parentRefs": [{"name": "public"}]}}
EXTERNAL: dict[str, Any] = {
    "postgres": {"existingSecret": "pg", "tls": {"mode": "verify-full", "caSecret": "pg-ca"}},
    "redis": {"existingSecret": "redis", "tls": {"caSecret": "redis-ca"}},
    "broker": {"existingSecret": "broker", "tls": {"caSecret": "broker-ca"}},
    "cassandra": {"existingSecret": "cass", "port": 9142, "tls": {"mode": "verify-ca", "caSecret": "cass-ca"}},
}


@pytest.mark.parametrize("values", [HOSTS, TLS, {**HOSTS, **ROUTE}, {**HOSTS, "insecureHttp": True}])
def test_a_proxy_that_is_not_trusted_is_refused(values) -> None:
    """If my students would all share the Ingress controller's address, helm refuses and says which value to set."""
    with pytest.raises(RenderError, match=r"gateway\.trustedProxies is empty.*--set gateway\.trustedProxies="):
        render(values)
    assert render({**values, "gateway": {"trustedProxies": ["10.244.0.0/16"]}})


def test_without_a_proxy_none_has_to_be_trusted() -> None:
    """If I reach the gateway without Ingress and HTTPRoute, or at localhost, no proxy has to be named."""
    assert render({**HOSTS, "ingress": {"enabled": False}})
    assert render()


@pytest.mark.parametrize(
    ("insecure", "origins"), [(False, "https://exams.example.org,http://a:8080"), (True, "http://a:8080")]
)
def test_logins_at_https_pass_the_csrf_check(insecure, origins) -> None:
    """If my proxy does not send X-Forwarded-Proto, the admin still accepts logins from its own https:// origin."""
    values = {**HOSTS, "gateway": {"trustedProxies": ["10.0.0.0/8"]}, "insecureHttp": insecure}
    web = pods_of(render({**values, "trustedOrigins": ["http://a:8080"]}))["Deployment/exam-web"]
    (container,) = web["spec"]["containers"]
    assert {"name": "EXAM_CSRF_TRUSTED_ORIGINS", "value": origins} in container["env"]


def test_tls_of_external_stores_reaches_every_client() -> None:
    """If my stores have TLS and an authority of their own, every client verifies them, at the port that I set."""
    needed = {
        "PGSSLMODE": "verify-full",
        "PGSSLROOTCERT": "/etc/exam-stores/postgres.crt",
        "EXAM_CASSANDRA_PORT": "9142",
        "EXAM_CASSANDRA_TLS": "verify-ca",
        "EXAM_CASSANDRA_TLS_CA_FILE": "/etc/exam-stores/cassandra.crt",
    }
    pods = {component_of(pod): pod["spec"] for pod in pods_of(render(EXTERNAL)).values()}
    for component in STORE_CLIENTS:
        spec, found = pods[component], dict[str, str]()
        for container in (*spec.get("initContainers", []), *spec["containers"]):
            found |= {each["name"]: each["value"] for each in container["env"] if "value" in each}
            assert {"name": "store-ca", "mountPath": "/etc/exam-stores", "readOnly": True} in container["volumeMounts"]
        assert needed.items() <= found.items(), component
        for store, clients in CLIENTS.items():
            path = f"/etc/exam-stores/{store}.crt" if component in clients else None
            assert found.get(f"EXAM_{store.upper()}_CA_FILE") == path, (component, store)
        (volume,) = [each for each in spec["volumes"] if each["name"] == "store-ca"]
        files = {each["secret"]["name"]: each["secret"]["items"] for each in volume["projected"]["sources"]}
        assert files == {
            f"{secret}-ca": [{"key": "ca.crt", "path": f"{store}.crt"}]
            for store, secret in (("postgres", "pg"), ("redis", "redis"), ("broker", "broker"), ("cassandra", "cass"))
        }
    assert all("store-ca" not in str(pods[other]) for other in ("gateway", "operator"))


def test_public_authorities_are_the_default() -> None:
    """If a public authority signs my PostgreSQL's certificate, verify-full needs no Secret."""
    (web,) = pods_of(render({"postgres": {"existingSecret": "pg", "tls": {"mode": "verify-full"}}}))[
        "Deployment/exam-web"
    ]["spec"]["containers"]
    assert {"name": "PGSSLROOTCERT", "value": "system"} in web["env"]
    assert all(each["name"] != "store-ca" for each in web["volumeMounts"])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"redis": {"tls": {"caSecret": "ca"}}}, r"redis\.tls is set without redis\.existingSecret"),
        ({"broker": {"tls": {"caSecret": "ca"}}}, r"broker\.tls is set without broker\.existingSecret"),
        ({"postgres": {"tls": {"mode": "require"}}}, r"postgres\.tls is set without postgres\.existingSecret"),
        (
            {"cassandra": {"existingSecret": "s", "tls": {"caSecret": "ca"}}},
            r"cassandra\.tls\.caSecret is set without cassandra\.tls\.mode",
        ),
        (
            {"postgres": {"existingSecret": "s", "tls": {"mode": "verify-ca"}}},
            r"postgres\.tls\.mode is verify-ca without postgres\.tls\.caSecret",
        ),
        ({"cassandra": {"port": 9142}}, r"cassandra\.port is set without cassandra\.existingSecret"),
    ],
)
def test_tls_that_would_not_be_used_is_refused(values, message) -> None:
    """If a TLS value would have no effect, or verify nothing, helm refuses instead of connecting without it."""
    with pytest.raises(RenderError, match=message):
        render(values)
