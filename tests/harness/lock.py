"""Compile requirements/*.txt: a lock for development and one for each deployable, every package with its hashes.

The deployables' locks are constrained by the development one, so that tested versions are deployed. Arguments
(``--upgrade``, ``--upgrade-package NAME``) are passed to ``uv pip compile``.
"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
MEMBERS = ("core", "answerlog", "web", "solver", "grader", "operator", "harness", "runtime", "cli", "papers")
DEPLOYABLES = {
    "web": ("services/web", "--extra=papers"),
    "solver": ("services/solver",),
    "grader": ("services/grader",),
    "operator": ("operator",),
}
COMMON = (
    "--universal",
    "--python-version=3.11",
    "--generate-hashes",
    "--quiet",
    "--no-header",
    "--no-annotate",
    "--no-emit-index-url",
    *(f"--no-emit-package=exam-{member}" for member in MEMBERS),
)


def compile_lock(target: str, *sources: str) -> None:
    """Compile requirements/<target>.txt from some source files."""
    uv = str(ROOT / ".venv/bin/uv")
    subprocess.run(
        [uv, "pip", "compile", *COMMON, *sys.argv[1:], *sources, "-o", f"requirements/{target}.txt"],
        cwd=ROOT,
        check=True,
    )
    sys.stdout.write(f"requirements/{target}.txt\n")


if __name__ == "__main__":
    members = [str(path.relative_to(ROOT)) for path in sorted(ROOT.glob("services/*/pyproject.toml"))]
    for tool in ("uv", "build", "reload", "audit"):
        compile_lock(tool, f"requirements/{tool}.in")
    compile_lock("dev", *members, "operator/pyproject.toml", "tests/harness/pyproject.toml", "--group=dev")
    for deployable, (folder, *options) in DEPLOYABLES.items():
        compile_lock(deployable, f"{folder}/pyproject.toml", "--constraint=requirements/dev.txt", *options)
