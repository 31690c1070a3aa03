"""Reads what is to be verified, from files, from the platform's API, or from a folder that was saved earlier."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx

from exam_core.keys import PublicKeySet

TIMEOUT: Final = 20.0
"""In seconds."""


class UnreadableError(Exception):
    """A file or address could not be read, so nothing was verified; the message names it."""


@dataclass(frozen=True, kw_only=True)
class Document:
    """A document that is published of a sitting.

    Attributes:
        file: its name in a folder.
        path: its path on the platform, with a place for the sitting's id.
        private: whether reading it needs the student's access token.
    """

    file: str
    path: str
    private: bool = False


SEAL: Final = Document(file="seal.json", path="/api/sittings/{sitting}/seal")
SEAL_PROOF: Final = Document(file="proof.json", path="/api/sittings/{sitting}/seal/proof", private=True)
DEGREES: Final = Document(file="degrees.json", path="/api/sittings/{sitting}/degrees")
DEGREE_PROOF: Final = Document(file="degree-proof.json", path="/api/sittings/{sitting}/degrees/proof", private=True)
STATEMENT_KEYS: Final = Document(file="keys.json", path="/api/keys")
RECEIPT_KEYS: Final = Document(file="receipt-keys.json", path="/v1/keys")


@dataclass(frozen=True, kw_only=True)
class Sources:
    """Where each document comes from.

    Attributes:
        given: the file or address named for a document.
        origin: the platform's address or a folder, for all other documents; None if every one needed must be named.
        token: the student's access token, sent for private documents only.
        save: a folder in which to store what is read.
    """

    given: Mapping[Document, str] = field(default_factory=dict)
    origin: str | None = None
    token: str | None = None
    save: Path | None = None

    def has(self, document: Document) -> bool:
        """Whether a document is named or can be found at the origin."""
        return self.origin is not None or document in self.given

    def read(self, document: Document, *, sitting: object = "") -> str:
        """Return the text of a document; raises UnreadableError."""
        source = self.given.get(document) or self._at_origin(document, str(sitting))
        text = read_text(source, token=self.token if document.private else None)
        if self.save is not None:
            with _reported(str(self.save)):
                self.save.mkdir(parents=True, exist_ok=True)
                (self.save / document.file).write_text(text)
        return text

    def _at_origin(self, document: Document, sitting: str) -> str:
        if self.origin is None:
            raise UnreadableError(f"{document.file}: name it, or the platform's address with --from")
        if _is_address(self.origin):
            return self.origin.rstrip("/") + document.path.format(sitting=sitting)
        return str(Path(self.origin) / document.file)


def read_text(source: str, *, token: str | None = None) -> str:
    """Return the text of a file or address; raises UnreadableError."""
    with _reported(source):
        if not _is_address(source):
            return Path(source).read_text()
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        response = httpx.get(source, headers=headers, timeout=TIMEOUT)
        if response.is_success:
            return response.text
    raise UnreadableError(f"{source}: {response.status_code} {_detail(response)}")


def read_object(name: str, text: str) -> dict[str, Any]:
    """Parse a JSON object; raises UnreadableError."""
    try:
        body = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UnreadableError(f"{name} is not JSON: {error}") from error
    if not isinstance(body, dict):
        raise UnreadableError(f"{name} is not a JSON object")
    return body


def read_keys(name: str, text: str) -> PublicKeySet:
    """Parse a JWK set; raises UnreadableError."""
    try:
        return PublicKeySet.from_jwks(read_object(name, text))
    except ValueError as error:
        raise UnreadableError(f"{name}: {error}") from error


def read_signed(name: str, text: str, member: str) -> str:
    """Return a compact JWS that is given alone or as a member of a JSON object, as the API returns it."""
    if not text.lstrip().startswith("{"):
        return text.strip()
    signed = read_object(name, text).get(member)
    if not isinstance(signed, str):
        raise UnreadableError(f"{name} has no text {member!r}")
    return signed


@contextmanager
def _reported(source: str) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, httpx.HTTPError, httpx.InvalidURL) as error:
        raise UnreadableError(f"{source}: {error}") from error


def _is_address(source: str) -> bool:
    return source.startswith(("http://", "https://"))


def _detail(response: httpx.Response) -> str:
    """Return the detail of a problem, or the reason phrase."""
    try:
        return str(response.json()["detail"])
    except (ValueError, KeyError, TypeError):
        return response.reason_phrase
