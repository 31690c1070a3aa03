"""A degree is at most its maximum, and neither is NaN."""

from django.db import migrations, models

from exam_web.common.constraints import require_valid_rows

CONSTRAINTS = [
    migrations.AddConstraint(
        model_name="degree",
        constraint=models.CheckConstraint(
            condition=models.Q(("total__gte", 0), ("total__lte", models.F("maximum"))), name="degree_total_bounded"
        ),
    ),
    migrations.AddConstraint(
        model_name="degree",
        constraint=models.CheckConstraint(condition=models.Q(("maximum__lte", 500000)), name="degree_maximum_bounded"),
    ),
]


class Migration(migrations.Migration):
    dependencies = [("degrees", "0002_grants")]

    operations = [
        migrations.RunPython(require_valid_rows("degrees", CONSTRAINTS), migrations.RunPython.noop),
        *CONSTRAINTS,
    ]
