"""Fetches what web publishes of a sitting after it was graded: statements, their keys, and each student's proofs."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import httpx

from exam_harness.oracle.proofs import Published
from exam_harness.scenarios.nemesis.client import Login

_SECONDS: Final = 10
_AVAILABLE_SECONDS: Final = 30
"""How long web may answer that a store is unavailable, as it does after its restart until it is connected."""
_CONCURRENCY: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """What is published of a sitting; a part is None if there is no statement about it.

    Attributes:
        keys: the JWK set that verifies statements.
        seal: about the seal.
        degrees: about the published degrees.
        remarks: contradictions between responses, as sentences.
    """

    keys: Mapping[str, Any]
    seal: Published | None
    degrees: Published | None
    remarks: tuple[str, ...]


async def fetch_publication(web_url: str, sitting: str, students: Mapping[int, Login]) -> Publication:
    """Fetch all of it, each proof as the student with this login."""
    async with httpx.AsyncClient(
        base_url=web_url, headers={"Host": "localhost"}, timeout=_SECONDS, trust_env=False
    ) as http:
        keys = (await http.get("/api/keys")).raise_for_status().json()
        reader = _Reader(http, sitting, students)
        return Publication(
            keys=keys,
            seal=await reader.published("seal"),
            degrees=await reader.published("degrees"),
            remarks=tuple(reader.remarks),
        )


class _Reader:
    """Reads the parts of one sitting."""

    def __init__(self, http: httpx.AsyncClient, sitting: str, students: Mapping[int, Login]) -> None:
        self.remarks: list[str] = []
        self._http = http
        self._path = f"/api/sittings/{sitting}"
        self._students = students
        self._slots = asyncio.Semaphore(_CONCURRENCY)

    async def published(self, part: str) -> Published | None:
        """The statement about a part, and the proofs of all students who have one."""
        body = await self._get(f"{self._path}/{part}")
        if body is None:
            return None
        found = await asyncio.gather(*(self._proof(part, student, body["statement"]) for student in self._students))
        return Published(body["statement"], {student: proof for student, proof in found if proof is not None})

    async def _proof(self, part: str, student: int, statement: str) -> tuple[int, Mapping[str, Any] | None]:
        async with self._slots:
            body = await self._get(f"{self._path}/{part}/proof", self._students[student].access)
        if body is None:
            return student, None
        if body["statement"] != statement:
            self.remarks.append(f"student {student} is shown another statement ({part})")
        return student, body["proof"]

    async def _get(self, path: str, token: str | None = None) -> Mapping[str, Any] | None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        response = await self._http.get(path, headers=headers)
        async with asyncio.timeout(_AVAILABLE_SECONDS):
            while response.status_code == httpx.codes.SERVICE_UNAVAILABLE:
                await asyncio.sleep(int(response.headers["Retry-After"]))
                response = await self._http.get(path, headers=headers)
        if response.status_code == httpx.codes.NOT_FOUND:
            return None
        body: Mapping[str, Any] = response.raise_for_status().json()
        return body
