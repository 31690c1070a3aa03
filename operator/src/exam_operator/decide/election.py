"""Leader election by a Lease: who may take it, and what is written to it. Pure: times are arguments.

The holder renews its Lease. Another replica may take it when it is released, or was not renewed for its whole duration
on that replica's own clock: no machine's clock is compared with that of another one. The holder itself stops acting
after a part of the duration, so that it has stopped when another one begins.
"""

from dataclasses import dataclass, replace
from typing import Self

from exam_core.canonical import JsonObject
from exam_core.instants import SECOND, rfc3339

ACTING_SHARE = 0.7
"""The part of a Lease's duration for which a renewal lets its holder act; the rest is for the drift of two clocks."""
RENEWAL_SHARE = 0.2
"""The part of a Lease's duration after which its holder renews it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """A Lease as read or written.

    Attributes:
        holder: the identity of the replica that holds it; empty when it is released.
        duration: how long it is valid after a renewal, in whole seconds.
        acquired_at: since when its holder has it, as the API server writes it.
        transitions: how often its holder has changed.
        version: the resourceVersion that a write requires; empty to create it.
    """

    holder: str
    duration: int
    acquired_at: str = ""
    transitions: int = 0
    version: str = ""

    @classmethod
    def from_json(cls, body: JsonObject) -> Self:
        """Parse an object of the API server; fields that another program left out count as a released Lease."""
        spec = body.get("spec", {})
        return cls(
            holder=spec.get("holderIdentity") or "",
            duration=spec.get("leaseDurationSeconds") or 1,
            acquired_at=spec.get("acquireTime") or "",
            transitions=spec.get("leaseTransitions") or 0,
            version=body["metadata"]["resourceVersion"],
        )

    def to_json(self, *, name: str, namespace: str, now: int) -> JsonObject:
        """The object to write; `now` is UTC in µs and informs people only."""
        metadata = {"name": name, "namespace": namespace}
        times = {"renewTime": rfc3339(now)} | ({"acquireTime": self.acquired_at} if self.acquired_at else {})
        spec = {
            "holderIdentity": self.holder,
            "leaseDurationSeconds": self.duration,
            "leaseTransitions": self.transitions,
        }
        return {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": metadata | ({"resourceVersion": self.version} if self.version else {}),
            "spec": spec | times,
        }


@dataclass(frozen=True, slots=True)
class Sighting:
    """The version of a Lease that was last read, and since when it is known (own clock, µs)."""

    version: str
    since: int

    def followed_by(self, lease: Lease, now: int) -> "Sighting":
        """The sighting after the Lease was read again."""
        return self if lease.version == self.version else Sighting(lease.version, now)


def may_take(lease: Lease, sighting: Sighting, *, identity: str, asked_at: int) -> bool:
    """Whether a replica may take a Lease that it asked for at an instant of its own clock, in µs.

    One that has its own identity is of an earlier process in the same pod, which has ended.
    """
    if lease.holder in ("", identity):
        return True
    return asked_at - sighting.since >= lease.duration * SECOND


def taken(lease: Lease | None, *, identity: str, duration: int, now: int) -> Lease:
    """The Lease to write to take it, or to create it; `now` is UTC in µs."""
    if lease is None:
        return Lease(holder=identity, duration=duration, acquired_at=rfc3339(now))
    changed = lease.holder != identity
    return replace(
        lease,
        holder=identity,
        duration=duration,
        acquired_at=rfc3339(now) if changed or not lease.acquired_at else lease.acquired_at,
        transitions=lease.transitions + changed,
    )


def released(lease: Lease) -> Lease:
    """The Lease to write to release it, so that another replica takes it at once."""
    return replace(lease, holder="", duration=1)


def acts_until(asked_at: int, duration: int) -> int:
    """Until when a write of the Lease that was sent at an instant of the own clock lets its holder act, in µs."""
    return asked_at + int(duration * SECOND * ACTING_SHARE)
