"""Delete expired rows: a bounded number at each login and revocation, so that no request pays for thousands.

Each of them adds one row and deletes up to `BATCH`, so that rows of users who never return disappear as well.
"""

from datetime import datetime, timedelta
from typing import Any

import structlog
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.db import transaction
from django.db.models import QuerySet
from redis.exceptions import RedisError

from exam_core.instants import from_micros
from exam_web.settings import ENVIRONMENT
from exam_web.users.models import LoginSession, Revocation

log = structlog.get_logger(__name__)

BATCH = 500
SWEEP_SECONDS = 600
"""How often a login looks for expired logins of all users."""
_SWEPT = "expired-logins-swept"


def long_ago(now: int) -> datetime:
    """Before when an expired row is deleted: late enough that a clock that was ahead for days deletes none in use."""
    return from_micros(now) - timedelta(seconds=ENVIRONMENT.revocation_seconds)


def purge_revocations(*, now: int) -> int:
    """Delete a batch of revocations that expired long ago; return how many."""
    return _delete(Revocation.objects.filter(expires_at__lt=long_ago(now)).order_by("expires_at"))


def purge_sessions(*, now: int) -> int:
    """Delete a batch of logins, and one of the admin's sessions, that expired long ago; return how many.

    It does so once in `SWEEP_SECONDS`, and again at the next call while there are more. Without the cache it does
    nothing.
    """
    try:
        if not cache.add(_SWEPT, 1, SWEEP_SECONDS):
            return 0
        deleted = [
            _delete(LoginSession.objects.filter(expires_at__lt=long_ago(now))),
            _delete(Session.objects.filter(expire_date__lt=long_ago(now))),
        ]
        if BATCH in deleted:
            cache.delete(_SWEPT)
    except RedisError as error:
        log.warning("expired_logins_not_swept", error=str(error))
        return 0
    return sum(deleted)


def _delete(rows: QuerySet[Any]) -> int:
    """Delete a batch; rows that another request is deleting, or using, are left to it."""
    with transaction.atomic():
        batch = list(rows.select_for_update(skip_locked=True).values_list("pk", flat=True)[:BATCH])
        rows.filter(pk__in=batch).delete()
    return len(batch)
