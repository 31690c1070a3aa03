"""A double of web."""

from collections.abc import Mapping
from typing import Any

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from exam_core.keys import PublicKeySet, SigningKeys, new_signing_jwk
from exam_core.tokens import read_access


def new_keys() -> SigningKeys:
    """A fresh signing key."""
    return SigningKeys.from_jwks({"keys": [new_signing_jwk(Ed25519PrivateKey.generate())]})


class MemoryWeb:
    """Web as a solver sees it: a key set and introspection, either of which may be down."""

    def __init__(self, keys: SigningKeys) -> None:
        self.keys = keys
        self.published: PublicKeySet = keys.public
        self.down = False
        self.nonsense = False
        self.asked: list[str] = []
        self.request_ids: list[str | None] = []

    def answer(self, request: httpx.Request) -> httpx.Response:
        """Serve one request."""
        self.asked.append(request.url.path)
        self.request_ids.append(request.headers.get("x-request-id"))
        if self.down:
            raise httpx.ConnectError("web is down", request=request)
        if self.nonsense:
            return httpx.Response(200, json={"active": True})
        if request.url.path == "/.well-known/jwks.json":
            return httpx.Response(200, json=self.published.to_jwks())
        token = httpx.Response(200, content=request.content).json()["token"]
        return httpx.Response(200, json=self._introspect(token))

    def _introspect(self, token: str) -> Mapping[str, Any]:
        try:
            return {"active": True, **read_access(token, self.keys.public, now=0).claims()}
        except Exception:  # noqa: BLE001 - whatever is wrong with it, it is not active
            return {"active": False}
