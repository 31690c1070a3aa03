"""``python -m exam_harness.scenarios.nemesis.grader_variant``: a grader with one rule switched off."""

import dataclasses
import sys
from collections.abc import Sequence
from importlib import import_module
from types import ModuleType
from typing import Any

from exam_grader import __main__ as grader
from exam_harness.scenarios.nemesis.variants import apply, replace


def no_drain() -> None:
    """Seal at once, without waiting for the solvers' leases."""
    port = import_module("exam_grader.coordination.sitting").DjangoSitting
    models = import_module("exam_web.sittings.models")
    now = import_module("django.db.models.functions").Now

    def drain_blockers(sitting: Any) -> Sequence[str]:
        rows = models.Sitting.objects.filter(id=sitting._sitting, drained_at=None)
        rows.update(drained_at=now())
        return ()

    replace(port, "drain_blockers", drain_blockers)


def no_ledger() -> None:
    """Take a revision as graded once no chunk waits in the queue, whatever the ledger says."""
    port = import_module("exam_grader.coordination.sitting").DjangoSitting
    models = import_module("exam_web.sittings.models")
    snapshot = port._revision_snapshot

    def revision_snapshot(sitting: Any) -> Any:
        found = snapshot(sitting)
        if found is None or not sitting.recently_enqueued() or sitting.queue_depth():
            return found
        return dataclasses.replace(found, missing=())

    def complete_revision(sitting: Any) -> None:
        revision = sitting._revision()
        models.Revision.objects.filter(pk=revision.pk).update(state=models.Revision.State.GRADED)

    replace(port, "_revision_snapshot", revision_snapshot)
    replace(port, "complete_revision", complete_revision)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run a grader whose rule is switched off right before its command is imported, when Django is set up."""

    def import_boot(name: str) -> ModuleType:
        boot = import_module(name)
        vars(boot)["import_module"] = import_command
        return boot

    def import_command(name: str) -> ModuleType:
        apply({"no-drain": no_drain, "no-ledger": no_ledger})
        return import_module(name)

    vars(grader)["import_module"] = import_boot
    return grader.main(arguments)


if __name__ == "__main__":
    sys.exit(run())
