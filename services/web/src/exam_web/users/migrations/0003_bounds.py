"""What solvers read of a revocation is within bounds that they can read."""

import datetime
from django.db import migrations, models

from exam_web.common.constraints import require_valid_rows

CONSTRAINTS = [
    migrations.AddConstraint(
        model_name="revocation",
        constraint=models.CheckConstraint(
            condition=models.Q(
                ("before__isnull", True),
                models.Q(
                    ("before__gte", datetime.datetime(2000, 1, 1, 0, 0, tzinfo=datetime.timezone.utc)),
                    ("before__lt", datetime.datetime(2100, 1, 1, 0, 0, tzinfo=datetime.timezone.utc)),
                ),
                _connector="OR",
            ),
            name="revocation_before_bounded",
        ),
    ),
    migrations.AddConstraint(
        model_name="revocation",
        constraint=models.CheckConstraint(
            condition=models.Q(
                ("expires_at__isnull", True),
                models.Q(
                    ("expires_at__gte", datetime.datetime(2000, 1, 1, 0, 0, tzinfo=datetime.timezone.utc)),
                    ("expires_at__lt", datetime.datetime(2100, 1, 1, 0, 0, tzinfo=datetime.timezone.utc)),
                ),
                _connector="OR",
            ),
            name="revocation_expires_at_bounded",
        ),
    ),
]


class Migration(migrations.Migration):
    dependencies = [("users", "0002_refresh_grace")]

    operations = [
        migrations.RunPython(require_valid_rows("users", CONSTRAINTS), migrations.RunPython.noop),
        *CONSTRAINTS,
    ]
