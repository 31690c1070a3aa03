"""`make dev`: a platform for a developer, and what its shell needs."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from exam_harness.waiting import eventually

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]


def test_dev_serves_a_shell_and_ends_on_request(tmp_path: Path) -> None:
    """I source the file that `make dev` writes and run a command of web; SIGTERM ends all that was started."""
    environment, log = tmp_path / "env", tmp_path / "dev.log"
    command = [sys.executable, "-m", "exam_harness.scenarios.dev", "--environment", str(environment)]
    bare = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "EXAM_CACHE_DIR")}
    with log.open("w") as output, subprocess.Popen(command, env=bare, stdout=output, stderr=output) as dev:
        try:

            def is_up() -> bool:
                assert dev.poll() is None, log.read_text()
                return "Press Ctrl-C" in log.read_text()

            eventually(is_up, "the platform is up", seconds=240)
            script = f'. "{environment}"; "{sys.executable}" -m exam_web showmigrations --plan sittings'
            plan = subprocess.run(["/bin/sh", "-c", script], env=bare, capture_output=True, text=True, check=True)
            assert "[X]  sittings.0001_initial" in plan.stdout
        finally:
            dev.send_signal(signal.SIGTERM)
        code = dev.wait(60)
    assert code == 0, log.read_text()
    assert not environment.exists()
