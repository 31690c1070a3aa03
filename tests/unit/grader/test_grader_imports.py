"""What a grader imports: its image has none of the parsers that web needs for what authors write."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

REPOSITORY = Path(__file__).parents[3]
PROGRAM = """
import importlib, importlib.abc, pkgutil, sys

BLOCKED = {modules!r}

class Blocker(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name.partition(".")[0] in BLOCKED:
            raise ModuleNotFoundError(name, name=name)

sys.meta_path.insert(0, Blocker())
import django
django.setup()
import exam_grader
for module in pkgutil.walk_packages(exam_grader.__path__, "exam_grader."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
"""
# A library of tables looks whether openpyxl is there, and does without.
TRIED = {"openpyxl"}
NAMES = {"pillow": "PIL", "markdown-it-py": "markdown_it"}


def test_a_grader_starts_without_the_parsers_of_authors_texts() -> None:
    """If nothing that only web's papers need is installed, every command of the grader can still be imported."""
    project = tomllib.loads((REPOSITORY / "services/papers/pyproject.toml").read_text())["project"]
    distributions = [each.split(">")[0] for each in project["dependencies"] if not each.startswith("exam-")]
    modules = {"exam_papers", *(NAMES.get(each, each) for each in distributions)} - TRIED
    assert {"lxml", "nh3", "PIL"} <= modules
    environment = os.environ | {"EXAM_COMPONENT": "grader", "EXAM_DATABASE_URL": "postgresql://x@127.0.0.1:1/x"}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(modules=modules)],
        env=environment | {"DJANGO_SETTINGS_MODULE": "exam_web.settings", "EXAM_REDIS_URL": "redis://127.0.0.1:1/0"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
