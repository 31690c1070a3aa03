"""The shared paper cache in Redis."""

import asyncio

import structlog
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

logger = structlog.get_logger(__name__)


class RedisPaperCache:
    """Reads papers that provisioning stored under ``paper:<digest>``."""

    def __init__(self, url: str, *, timeout: float = 0.3) -> None:
        self._timeout = timeout
        self._redis = Redis.from_url(
            url, socket_timeout=timeout, socket_connect_timeout=timeout, retry=Retry(NoBackoff(), 0)
        )

    async def get(self, digest: str) -> bytes | None:
        """A paper's body; None on a miss, an error or a timeout."""
        try:
            async with asyncio.timeout(self._timeout):
                found = await self._redis.get(f"paper:{digest}")
        except (RedisError, OSError, TimeoutError, RuntimeError) as error:
            # RuntimeError is what uvloop raises for a write to a pooled connection that was reset meanwhile.
            logger.warning("redis_read_failed", error=repr(error))
            return None
        return found.encode() if isinstance(found, str) else found

    async def close(self) -> None:
        """Close the connection pool."""
        await self._redis.aclose()
