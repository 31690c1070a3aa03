"""Find the Java version that Cassandra 5.0 needs on this machine."""

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
    """Return a `java` of the required version, from ``JAVA_HOME``, ``PATH`` or ``/usr/lib/jvm``.

    Raises:
        HarnessError: there is none.
    """
    for java in _candidates():
        match = re.search(r'version "(\d+)', java_version(java))
        if match and int(match.group(1)) == MAJOR:
            return java
    raise HarnessError(f"Java {MAJOR} is missing: run make setup, or set JAVA_HOME to one")


@cache
def java_version(java: Path) -> str:
    """Return the output of `java -version`, which differs between builds of one version."""
    return subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr


def _candidates() -> Iterator[Path]:
    java_home = os.environ.get("JAVA_HOME")
    if java_home and (Path(java_home) / "bin/java").exists():
        yield Path(java_home) / "bin/java"
    on_path = shutil.which("java")
    if on_path:
        yield Path(on_path)
    yield from sorted(Path("/usr/lib/jvm").glob("*/bin/java"))
