"""PostgreSQL advisory locks that order what happens between web and the lease functions.

Both are taken for a transaction. Changes take them exclusively, renewals shared: a renewal sees all of a change or
nothing of it, and the numbers of schedule and revocations appear in order.
"""

from django.db import connection

NAMESPACE = 0x4558414D
SCHEDULE = 1
REVOCATIONS = 2


def lock_exclusively(which: int) -> None:
    """Take one of the locks until the transaction ends; waits for renewals under way, never for long.

    Raises:
        RuntimeError: there is no transaction, so the lock would be gone before it served.
    """
    if not connection.in_atomic_block:
        raise RuntimeError("an advisory lock of a transaction was asked for outside of one")
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [NAMESPACE, which])
