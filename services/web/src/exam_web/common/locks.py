"""PostgreSQL advisory locks between changes made by web and renewals made by the lease functions.

Both are held for a transaction. Changes take them exclusively, renewals shared: a renewal sees a change completely or
not at all, and epochs and ids of revocations become visible in order.
"""

from django.db import connection

NAMESPACE = 0x4558414D
SCHEDULE = 1
REVOCATIONS = 2


def lock_exclusively(key: int) -> None:
    """Take a lock until the end of the transaction; waits for renewals in flight, which are short.

    Raises:
        RuntimeError: outside a transaction, where the lock would be released at once.
    """
    if not connection.in_atomic_block:
        raise RuntimeError("transaction-level advisory lock requested outside a transaction")
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [NAMESPACE, key])
