"""What solvers and graders read of a sitting is within bounds that they can read."""

import datetime
from django.db import migrations, models

from exam_web.common.constraints import require_valid_rows

CONSTRAINTS = [
    migrations.AddConstraint(
        model_name="accommodation",
        constraint=models.CheckConstraint(
            condition=models.Q(("extra__gte", datetime.timedelta(0)), ("extra__lte", datetime.timedelta(days=1))),
            name="accommodation_extra_bounded",
        ),
    ),
    migrations.AddConstraint(
        model_name="revision",
        constraint=models.CheckConstraint(condition=models.Q(("chunks__lte", 1000000)), name="revision_chunks_bounded"),
    ),
    migrations.AddConstraint(
        model_name="sitting",
        constraint=models.CheckConstraint(
            condition=models.Q(
                ("opens_at__isnull", True),
                models.Q(
                    ("opens_at__gte", datetime.datetime(2000, 1, 1, 0, 0, tzinfo=datetime.timezone.utc)),
                    ("opens_at__lt", datetime.datetime(2100, 1, 1, 0, 0, tzinfo=datetime.timezone.utc)),
                ),
                _connector="OR",
            ),
            name="sitting_opens_at_bounded",
        ),
    ),
    migrations.AddConstraint(
        model_name="sitting",
        constraint=models.CheckConstraint(
            condition=models.Q(
                ("closes_at__isnull", True),
                models.Q(
                    ("closes_at__gte", datetime.datetime(2000, 1, 1, 0, 0, tzinfo=datetime.timezone.utc)),
                    ("closes_at__lt", datetime.datetime(2100, 1, 1, 0, 0, tzinfo=datetime.timezone.utc)),
                ),
                _connector="OR",
            ),
            name="sitting_closes_at_bounded",
        ),
    ),
    migrations.AddConstraint(
        model_name="sitting",
        constraint=models.CheckConstraint(
            condition=models.Q(
                ("stopped_at__isnull", True),
                models.Q(
                    ("stopped_at__gte", datetime.datetime(2000, 1, 1, 0, 0, tzinfo=datetime.timezone.utc)),
                    ("stopped_at__lt", datetime.datetime(2100, 1, 1, 0, 0, tzinfo=datetime.timezone.utc)),
                ),
                _connector="OR",
            ),
            name="sitting_stopped_at_bounded",
        ),
    ),
    migrations.AddConstraint(
        model_name="sitting",
        constraint=models.CheckConstraint(
            condition=models.Q(("duration__gt", datetime.timedelta(0)), ("duration__lte", datetime.timedelta(days=1))),
            name="sitting_duration_bounded",
        ),
    ),
    migrations.AddConstraint(
        model_name="sitting",
        constraint=models.CheckConstraint(
            condition=models.Q(("candidates__gte", 1), ("candidates__lte", 1000000)), name="sitting_candidates_bounded"
        ),
    ),
    migrations.AddConstraint(
        model_name="sitting",
        constraint=models.CheckConstraint(
            condition=models.Q(("buckets__gte", 1), ("buckets__lte", 1000000)), name="sitting_buckets_bounded"
        ),
    ),
    migrations.AddConstraint(
        model_name="sitting",
        constraint=models.CheckConstraint(
            condition=models.Q(("state__in", ["scheduled", "closing", "sealed", "cancelled"])),
            name="sitting_state_known",
        ),
    ),
    migrations.AddConstraint(
        model_name="sittingpause",
        constraint=models.CheckConstraint(
            condition=models.Q(
                ("began_at__isnull", True),
                models.Q(
                    ("began_at__gte", datetime.datetime(2000, 1, 1, 0, 0, tzinfo=datetime.timezone.utc)),
                    ("began_at__lt", datetime.datetime(2100, 1, 1, 0, 0, tzinfo=datetime.timezone.utc)),
                ),
                _connector="OR",
            ),
            name="pause_began_at_bounded",
        ),
    ),
    migrations.AddConstraint(
        model_name="sittingpause",
        constraint=models.CheckConstraint(
            condition=models.Q(
                ("ended_at__isnull", True),
                models.Q(
                    ("ended_at__gte", datetime.datetime(2000, 1, 1, 0, 0, tzinfo=datetime.timezone.utc)),
                    ("ended_at__lt", datetime.datetime(2100, 1, 1, 0, 0, tzinfo=datetime.timezone.utc)),
                ),
                _connector="OR",
            ),
            name="pause_ended_at_bounded",
        ),
    ),
    migrations.AddConstraint(
        model_name="sittingpause",
        constraint=models.CheckConstraint(
            condition=models.Q(("ended_at__isnull", True), ("ended_at__gte", models.F("began_at")), _connector="OR"),
            name="pause_ends_after_it_began",
        ),
    ),
]


class Migration(migrations.Migration):
    dependencies = [("sittings", "0008_unreadable_sittings")]

    operations = [
        migrations.RunPython(require_valid_rows("sittings", CONSTRAINTS), migrations.RunPython.noop),
        *CONSTRAINTS,
    ]
