"""Who of a level may start in a sitting: named students, those who know its access code, those in some networks."""

import hashlib
import hmac
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, Self

from exam_core.canonical import JsonObject
from exam_core.problems import Problem, ProblemKind

Network = IPv4Network | IPv6Network

MAX_NAMED: Final = 2000
"""How many students a sitting may name: solvers read all of them whenever the schedule changes."""
MAX_NETWORKS: Final = 50
MIN_CODE: Final = 4
MAX_CODE: Final = 64
"""Characters of an access code."""
RESTRICTED: Final = "(restricted)"
"""What solvers of releases without these rules read as the level of such a sitting: none has this name, so that
students cannot start there."""
_COST, _BLOCK, _PARALLEL = 2**12, 8, 1
_SCHEME: Final = "scrypt"


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryRules:
    """The rules of a sitting, beside its level; by default none.

    Attributes:
        students: the ids of the students who may start; None for all of the level.
        code: the hash of the access code; None without one.
        networks: the networks from which an attempt may be started or resumed; from everywhere if empty.
    """

    students: frozenset[int] | None = None
    code: str | None = None
    networks: tuple[Network, ...] = ()

    @classmethod
    def from_json(cls, body: JsonObject) -> Self:
        """Read the member `entry` of a sitting in the schedule."""
        students = body["students"]
        return cls(
            students=None if students is None else frozenset(students),
            code=body["code"],
            networks=tuple(map(ip_network, body["networks"])),
        )

    def check_student(self, student: int) -> None:
        """Check that a student is named, if the sitting names students.

        Raises:
            Problem: NOT_NAMED.
        """
        if self.students is not None and student not in self.students:
            raise Problem(
                ProblemKind.NOT_NAMED,
                "this sitting is for students who were named for it, and you are not: ask your teacher",
            )

    def check_address(self, address: str) -> None:
        """Check that an address is in one of the networks, if there are any; what is no address is in none.

        Raises:
            Problem: ADDRESS_NOT_ALLOWED.
        """
        if self.networks and not _is_in(address, self.networks):
            raise Problem(
                ProblemKind.ADDRESS_NOT_ALLOWED,
                f"this sitting is taken at the places that were set for it, and your address {address[:64]!r} is not"
                " one of theirs: use a computer there, or ask your teacher",
            )


def read_networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Read networks in CIDR notation, like 10.0.0.0/8, 2001:db8::/32 or a single address.

    Raises:
        ValueError: a text is no network, has bits beside its prefix, or there are too many.
    """
    networks = tuple(dict.fromkeys(ip_network(text.strip()) for text in texts))
    if len(networks) > MAX_NETWORKS:
        raise ValueError(f"at most {MAX_NETWORKS} networks, not {len(networks)}")
    return networks


def check_code(code: str) -> str:
    """Return an access code that students can type unchanged.

    Raises:
        ValueError: it is too short or too long, or has characters that cannot be displayed.
    """
    if not MIN_CODE <= len(normal_code(code)) <= MAX_CODE or len(code) > MAX_CODE or not code.isprintable():
        raise ValueError(f"an access code has {MIN_CODE} to {MAX_CODE} printable characters")
    return code


def hash_code(code: str, salt: bytes) -> str:
    """Return the form in which an access code is stored."""
    return f"{_SCHEME}${salt.hex()}${_derive(code, salt).hex()}"


def code_matches(stored: str, code: str) -> bool:
    """Return whether a code is the stored one; case, width and blanks do not count. Takes some milliseconds.

    Raises:
        ValueError: the stored form is not one of this release.
    """
    scheme, salt, derived = stored.split("$")
    if scheme != _SCHEME:
        raise ValueError(f"unknown form {scheme!r} of an access code")
    return hmac.compare_digest(_derive(code, bytes.fromhex(salt)), bytes.fromhex(derived))


def normal_code(code: str) -> str:
    """Return the form of a code that is compared: students read it from a board and type it on any keyboard."""
    return "".join(unicodedata.normalize("NFKC", code).casefold().split())


def _derive(code: str, salt: bytes) -> bytes:
    return hashlib.scrypt(normal_code(code).encode(), salt=salt, n=_COST, r=_BLOCK, p=_PARALLEL, dklen=32)


def _is_in(text: str, networks: Iterable[Network]) -> bool:
    try:
        address: IPv4Address | IPv6Address = ip_address(text)
    except ValueError:
        return False
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return any(address in network for network in networks)
