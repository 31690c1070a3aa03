"""``python -m exam_harness.scenarios.nemesis.solver_variant``: a solver with one rule switched off."""

import os
import sys
from typing import Any, Final

from exam_core.lease import Admission
from exam_harness.scenarios.nemesis.slow_renewal import TTL_MS
from exam_harness.scenarios.nemesis.variants import RENEWAL_WITHOUT_LOCK, SLOW_RENEWAL, apply, replace
from exam_solver.__main__ import main
from exam_solver.attempts import answers
from exam_solver.attempts.plan import Plan, plan
from exam_solver.lease.keeper import LeaseKeeper
from exam_solver.lease.snapshot import Admitted, no_lease


def no_gap_rule() -> None:
    """Acknowledge although the lease lapsed while the answer was written."""
    replace(LeaseKeeper, "held_since", lambda _keeper, _admitted: True)


def lease_check_after_write() -> None:
    """Admit without a lease, and check only after the write that there is one."""

    def admit(keeper: Any) -> Admitted:
        snapshot = keeper._snapshot
        if snapshot is None:
            raise no_lease()
        lease, now = snapshot.lease, keeper._clock()
        admission = Admission(holder=lease.holder, epoch=lease.epoch, received_at=lease.time(now))
        return Admitted(admission, snapshot)

    replace(LeaseKeeper, "admit", admit)
    replace(LeaseKeeper, "held_since", lambda keeper, _admitted: keeper.valid)


def stale_refusals() -> None:
    """Refuse by the attempt in memory, without reading what another process may have written."""

    def plan_at_once(*arguments: Any, **options: Any) -> Plan:
        return plan(*arguments, **{**options, "current": True})

    vars(answers)["plan"] = plan_at_once


def long_lease() -> None:
    """Keep a lease for longer than a slow renewal takes; no rule is switched off here, but in the lease function."""
    os.environ["EXAM_LEASE_TTL_MS"] = str(TTL_MS)


VARIANTS: Final = {
    SLOW_RENEWAL: long_lease,
    RENEWAL_WITHOUT_LOCK: long_lease,
    "no-gap-rule": no_gap_rule,
    "lease-check-after-write": lease_check_after_write,
    "stale-refusals": stale_refusals,
}

if __name__ == "__main__":
    apply(VARIANTS)
    sys.exit(main())
