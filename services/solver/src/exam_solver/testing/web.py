"""A double of web's API."""

from collections.abc import Mapping
from typing import Any

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from exam_core.keys import PublicKeySet, SigningKeys, new_signing_jwk
from exam_core.problems import Problem
from exam_core.service_tokens import Caller, read_service_token
from exam_core.tokens import read_access

INTERNAL_URL = "http://web:8001"


def new_keys() -> SigningKeys:
    """A new signing key."""
    return SigningKeys.from_jwks({"keys": [new_signing_jwk(Ed25519PrivateKey.generate())]})


class MemoryWeb:
    """Web's key set and introspection, in memory; it can be down or respond with malformed bodies."""

    def __init__(self, keys: SigningKeys) -> None:
        self.keys = keys
        self.solver_keys = new_keys()
        """The keys by which web knows solvers."""
        self.published: PublicKeySet = keys.public
        self.down = False
        self.malformed = False
        self.requests: list[str] = []
        self.request_ids: list[str | None] = []

    def handle(self, request: httpx.Request) -> httpx.Response:
        """Serve one request."""
        self.requests.append(request.url.path)
        self.request_ids.append(request.headers.get("x-request-id"))
        if self.down:
            raise httpx.ConnectError("web is down", request=request)
        if self.malformed:
            return httpx.Response(200, json={"active": True})
        if request.url.path == "/.well-known/jwks.json":
            return httpx.Response(200, json=self.published.to_jwks())
        if not self._is_solver(request):
            return httpx.Response(401)
        token = httpx.Response(200, content=request.content).json()["token"]
        return httpx.Response(200, json=self._introspect(token))

    def _is_solver(self, request: httpx.Request) -> bool:
        """Whether the request is for the internal API and has a token of a solver."""
        if not str(request.url).startswith(INTERNAL_URL):
            return False
        own = request.headers.get("authorization", "").removeprefix("Bearer ")
        try:
            return read_service_token(own, {Caller.SOLVER: self.solver_keys.public}, now=0) is Caller.SOLVER
        except Problem:
            return False

    def _introspect(self, token: str) -> Mapping[str, Any]:
        try:
            return {"active": True, **read_access(token, self.keys.public, now=0).claims()}
        except Exception:  # noqa: BLE001 - any invalid token is inactive
            return {"active": False}
