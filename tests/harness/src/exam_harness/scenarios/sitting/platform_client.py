"""A client for operating the platform: web's commands, and its internal API under the service token."""

from collections.abc import Mapping
from typing import Any, Protocol

import httpx

from exam_harness.environments.processes.paths import REPOSITORY
from exam_harness.hosts import Hosts
from exam_harness.oracle.instants import rfc3339
from exam_harness.scenarios.sitting.accounts import Accounts

STDIN = "/dev/stdin"
PAPERS = REPOSITORY / "k8s/samples/papers"


class PlatformError(Exception):
    """The internal API rejected a request."""


class PlatformAccess(Protocol):
    """Access to a running platform: a local stack, a Compose project or a cluster."""

    @property
    def internal_url(self) -> str:
        """The URL of web's internal API."""

    @property
    def service_token(self) -> str:
        """The token for web's internal API."""

    @property
    def gateway_port(self) -> int:
        """The gateway's port on the loopback interface."""

    @property
    def hosts(self) -> Hosts:
        """The platform's host names."""

    def web_command(self, *words: str, env: Mapping[str, str] | None = None, stdin: str | None = None) -> str:
        """Run one of web's commands and return its output."""


class PlatformClient:
    """Provisions, inspects and publishes sittings."""

    def __init__(self, access: PlatformAccess) -> None:
        self._access = access
        self._http = httpx.Client(
            base_url=access.internal_url,
            headers={"Host": access.hosts.web, "Authorization": f"Bearer {access.service_token}"},
            timeout=60,
            trust_env=False,
        )

    def load_accounts(self, accounts: Accounts) -> None:
        """Create all accounts."""
        self._access.web_command("load_people", STDIN, "--create-levels", stdin=accounts.csv())
        password = {"DEMO_ADMIN_PASSWORD": accounts.admin.password}
        words = ("--username", accounts.admin.username, "--password-env", *password)
        self._access.web_command("create_admin", *words, env=password)

    def load_exam(self, paper: str, doctor: str, *, namespace: str | None = None) -> None:
        """Create an exam from the text of its document; resources of the namespace may hold it, if one is given."""
        holder = () if namespace is None else ("--namespace", namespace)
        self._access.web_command("load_exam", STDIN, "--author", doctor, *holder, stdin=paper)

    def provision(
        self, name: str, *, exam: str, opens_at: int, closes_at: int, duration: int, candidates: int, multiple: str
    ) -> str:
        """Freeze the paper, schedule a sitting and return its id. Instants and spans in µs."""
        sitting = self._request(
            "PUT",
            f"/internal/sittings/{name}",
            {
                "exam": exam,
                "opens_at": rfc3339(opens_at),
                "closes_at": rfc3339(closes_at),
                "duration_us": duration,
                "candidates": candidates,
                "publish": "manual",
                "extra_past_close": True,
                "multiple": multiple,
            },
        )
        return str(sitting["id"])

    def accommodate(self, name: str, username: str, extra_us: int) -> None:
        """Grant a student extra time."""
        self._request("PUT", f"/internal/sittings/{name}/accommodations/{username}", {"extra_us": extra_us})

    def sitting(self, name: str) -> dict[str, Any]:
        """The status of a sitting."""
        return self._request("GET", f"/internal/sittings/{name}")

    def publish(self, name: str, revision: int) -> None:
        """Publish the degrees of a revision."""
        self._request("POST", f"/internal/sittings/{name}/revisions/{revision}/publish")

    def receipt_keys(self) -> dict[str, Any]:
        """The JWK set of receipts, as published by a solver."""
        with httpx.Client(base_url=self.address, trust_env=False) as http:
            keys: dict[str, Any] = (
                http.get("/v1/keys", headers={"Host": self._access.hosts.solver}).raise_for_status().json()
            )
        return keys

    def statement_keys(self) -> dict[str, Any]:
        """The JWK set of statements, as published by web."""
        with httpx.Client(base_url=self.address, trust_env=False) as http:
            keys: dict[str, Any] = (
                http.get("/api/keys", headers={"Host": self._access.hosts.web}).raise_for_status().json()
            )
        return keys

    def statement(self, sitting: str, part: str) -> str:
        """The public statement about a sitting's `seal` or `degrees`."""
        with httpx.Client(base_url=self.address, trust_env=False) as http:
            path = f"/api/sittings/{sitting}/{part}"
            return str(http.get(path, headers={"Host": self._access.hosts.web}).raise_for_status().json()["statement"])

    @property
    def address(self) -> str:
        """The gateway's URL."""
        return f"http://127.0.0.1:{self._access.gateway_port}"

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _request(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        response = self._http.request(method, path, json=body)
        if not response.is_success:
            raise PlatformError(f"{method} {path}: {response.status_code} {response.text}")
        content: dict[str, Any] = response.json() if response.content else {}
        return content
