"""Papers in Redis."""

import asyncio

import structlog
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

logger = structlog.get_logger(__name__)


class RedisPaperCache:
    """Papers as provisioning leaves them in Redis, under ``paper:<digest>``."""

    def __init__(self, url: str, *, timeout: float = 0.3) -> None:
        self._timeout = timeout
        self._redis = Redis.from_url(
            url, socket_timeout=timeout, socket_connect_timeout=timeout, retry=Retry(NoBackoff(), 0)
        )

    async def get(self, digest: str) -> bytes | None:
        """What Redis has, None when it has nothing or does not answer soon."""
        try:
            async with asyncio.timeout(self._timeout):
                found = await self._redis.get(f"paper:{digest}")
        except (RedisError, OSError, TimeoutError) as error:
            logger.warning("redis_passed_over", error=repr(error))
            return None
        return found.encode() if isinstance(found, str) else found

    async def close(self) -> None:
        """Close the pool."""
        await self._redis.aclose()
