"""The interface of the paper cache."""

from typing import Protocol


class PaperCache(Protocol):
    """A place that may know a paper; it never fails, it only knows less."""

    async def get(self, digest: str) -> bytes | None:
        """A paper's canonical body, or None."""

    async def close(self) -> None:
        """Give up connections."""
