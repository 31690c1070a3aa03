"""The only code that changes sittings.

A change is one transaction: take the schedule's lock exclusively, raise the epoch by one, compare-and-set the row and
stamp it with the epoch. A concurrent change raises CONFLICT.
"""

from exam_web.sittings.services.close import (
    Drain,
    sealed_bucket_record,
    sitting_close,
    sitting_drain,
    sitting_mark_sealed,
    sitting_stop,
)
from exam_web.sittings.services.entry import EntryChange, entry_change
from exam_web.sittings.services.extra_time import check_percent_change, extra_percent_set
from exam_web.sittings.services.freezing import sitting_refreeze
from exam_web.sittings.services.leases import LeaseMonitor, Waiting, leases_delete_expired
from exam_web.sittings.services.provision import SittingSpec, sitting_change, sitting_provision
from exam_web.sittings.services.revisions import (
    key_current,
    revision_complete,
    revision_open,
    revision_open_next,
    revision_publish,
    revision_regrade,
)
from exam_web.sittings.services.window import (
    accommodation_set,
    pause_begin,
    pause_end,
    sitting_cancel,
    window_change,
)

__all__ = [
    "Drain",
    "EntryChange",
    "LeaseMonitor",
    "SittingSpec",
    "Waiting",
    "accommodation_set",
    "check_percent_change",
    "entry_change",
    "extra_percent_set",
    "key_current",
    "leases_delete_expired",
    "pause_begin",
    "pause_end",
    "revision_complete",
    "revision_open",
    "revision_open_next",
    "revision_publish",
    "revision_regrade",
    "sealed_bucket_record",
    "sitting_cancel",
    "sitting_change",
    "sitting_close",
    "sitting_drain",
    "sitting_mark_sealed",
    "sitting_provision",
    "sitting_refreeze",
    "sitting_stop",
    "window_change",
]
