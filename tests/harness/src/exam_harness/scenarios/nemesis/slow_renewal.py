"""The lease function, slow between what it reads and its commit, with and without the schedule's lock.

As fast as it is, a renewal without the lock would go wrong within a millisecond only. With the lock, a slow one is as
correct as a fast one.
"""

from typing import Final, LiteralString

import psycopg

SECONDS: Final = 2.5
"""How long a renewal takes; less than a solver waits for it."""
TTL_MS: Final = 8_000
"""The lease of solvers whose renewals are slow."""
_FUNCTION: Final[LiteralString] = (
    "SELECT pg_get_functiondef(oid) FROM pg_proc"
    " WHERE proname = 'solver_renew' AND pronamespace = 'public'::regnamespace"
)
_LOCK: Final = "PERFORM pg_advisory_xact_lock_shared"
_RESULT: Final = "RETURN jsonb_build_object("


def slow(definition: str, *, locked: bool) -> str:
    """The definition of the function that waits before it returns what it has read.

    Raises:
        ValueError: the function is written otherwise than this expects.
    """
    lines = [line for line in definition.splitlines() if locked or _LOCK not in line]
    if definition.count(_LOCK) != 2 or definition.count(_RESULT) != 2 or definition.count("DECLARE") != 1:
        raise ValueError(f"the variant must follow the code of the lease function:\n{definition}")
    head, _, result = "\n".join(lines).replace("DECLARE", "DECLARE\n    v_result jsonb;").rpartition(_RESULT)
    body, _, end = result.rpartition("END")
    return (
        f"{head}v_result := jsonb_build_object({body}    PERFORM pg_sleep({SECONDS});\n    RETURN v_result;\nEND{end}"
    )


class LeaseFunction:
    """Replaces the lease function in a database, and restores it."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        with psycopg.connect(dsn, autocommit=True) as connection:
            ((self._definition,),) = connection.execute(_FUNCTION).fetchall()

    def make_slow(self, *, locked: bool) -> None:
        """Replace it by a slow one."""
        self._replace(slow(self._definition, locked=locked))

    def restore(self) -> None:
        """Restore it."""
        self._replace(self._definition)

    def _replace(self, definition: str) -> None:
        with psycopg.connect(self._dsn, autocommit=True) as connection:
            connection.execute(definition.encode())
