"""The interface of the shared paper cache."""

from typing import Protocol


class PaperCache(Protocol):
    """A cache of papers. It never raises: an unavailable cache misses."""

    async def get(self, digest: str) -> bytes | None:
        """A paper's canonical body, or None."""

    async def close(self) -> None:
        """Close the connections."""
