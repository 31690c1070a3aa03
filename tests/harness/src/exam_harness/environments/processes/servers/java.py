"""The Java that Cassandra 5.0 runs on, wherever the machine keeps it."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from exam_harness.environments.processes.process import HarnessError

MAJOR = 17


def find_java() -> Path:
    """A `java` of the right version, from ``JAVA_HOME``, the path, or where distributions put theirs."""
    for java in _candidates():
        found = re.search(r'version "(\d+)', java_version(java))
        if found and int(found.group(1)) == MAJOR:
            return java
    raise HarnessError(f"Java {MAJOR} is missing: run make setup, or set JAVA_HOME to one")


@cache
def java_version(java: Path) -> str:
    """What `java -version` says; two builds of one version say different things."""
    return subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr


def _candidates() -> Iterator[Path]:
    named = os.environ.get("JAVA_HOME")
    if named and (Path(named) / "bin/java").exists():
        yield Path(named) / "bin/java"
    on_path = shutil.which("java")
    if on_path:
        yield Path(on_path)
    yield from sorted(Path("/usr/lib/jvm").glob("*/bin/java"))
