"""The platform as its operator uses it: commands of web, and the internal addresses under the service token."""

from collections.abc import Mapping
from typing import Any, Protocol

import httpx

from exam_harness.environments.processes.paths import REPOSITORY
from exam_harness.scenarios.sitting.accounts import People
from exam_harness.students.clock import rfc3339

STDIN = "/dev/stdin"
PAPERS = REPOSITORY / "k8s/samples/papers"


class PlatformError(Exception):
    """The platform refused what its operator asked for."""


class Access(Protocol):
    """A platform that runs somewhere: on a local stack, in a cluster."""

    @property
    def web_url(self) -> str:
        """Web itself, behind the gateway."""

    @property
    def service_token(self) -> str:
        """What web's internal addresses ask for."""

    @property
    def gateway_port(self) -> int:
        """The loopback's port behind which both hosts are."""

    def web_command(self, *words: str, env: Mapping[str, str] | None = None, stdin: str | None = None) -> str:
        """Run one of web's commands; its output."""


class Platform:
    """What a run asks of the platform beside what students do."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._http = httpx.Client(
            base_url=access.web_url,
            headers={"Host": "localhost", "Authorization": f"Bearer {access.service_token}"},
            timeout=60,
            trust_env=False,
        )

    def load_people(self, people: People) -> None:
        """Create everyone."""
        self._access.web_command("load_people", STDIN, stdin=people.csv())
        password = {"DEMO_ADMIN_PASSWORD": people.staff.password}
        words = ("--username", people.staff.username, "--password-env", *password)
        self._access.web_command("create_admin", *words, env=password)

    def load_exam(self, paper: str, doctor: str) -> None:
        """Create an exam from the text of its document."""
        self._access.web_command("load_exam", STDIN, "--author", doctor, stdin=paper)

    def provision(
        self, name: str, *, exam: str, opens_at: int, closes_at: int, duration: int, candidates: int, multiple: str
    ) -> str:
        """Freeze the paper and schedule a sitting; its id. Instants and spans in µs."""
        sitting = self._ask(
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
        self._ask("PUT", f"/internal/sittings/{name}/accommodations/{username}", {"extra_us": extra_us})

    def sitting(self, name: str) -> dict[str, Any]:
        """What the platform says of a sitting."""
        return self._ask("GET", f"/internal/sittings/{name}")

    def publish(self, name: str, revision: int) -> None:
        """Let students see their degrees."""
        self._ask("POST", f"/internal/sittings/{name}/revisions/{revision}/publish")

    def receipt_keys(self) -> dict[str, Any]:
        """The public keys of receipts, as a solver publishes them."""
        with httpx.Client(base_url=self.address, trust_env=False) as http:
            keys: dict[str, Any] = http.get("/v1/keys", headers={"Host": "solver.localhost"}).raise_for_status().json()
        return keys

    @property
    def address(self) -> str:
        """Where the gateway listens."""
        return f"http://127.0.0.1:{self._access.gateway_port}"

    def close(self) -> None:
        """Let go of the connections."""
        self._http.close()

    def _ask(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        response = self._http.request(method, path, json=body)
        if not response.is_success:
            raise PlatformError(f"{method} {path}: {response.status_code} {response.text}")
        content: dict[str, Any] = response.json() if response.content else {}
        return content
