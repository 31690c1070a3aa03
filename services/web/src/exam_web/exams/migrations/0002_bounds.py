"""A question's kind is known, and none of its numbers is NaN or too large."""

from django.db import migrations, models

from exam_web.common.constraints import require_valid_rows

CONSTRAINTS = [
    migrations.AddConstraint(
        model_name="question",
        constraint=models.CheckConstraint(condition=models.Q(("weight__lte", 1000)), name="question_weight_bounded"),
    ),
    migrations.AddConstraint(
        model_name="question",
        constraint=models.CheckConstraint(
            condition=models.Q(("tolerance__lt", 10000000000000000000000)), name="question_tolerance_bounded"
        ),
    ),
    migrations.AddConstraint(
        model_name="question",
        constraint=models.CheckConstraint(
            condition=models.Q(("value__isnull", True), ("value__lt", 10000000000000000000000), _connector="OR"),
            name="question_value_bounded",
        ),
    ),
    migrations.AddConstraint(
        model_name="question",
        constraint=models.CheckConstraint(
            condition=models.Q(("kind__in", ["single", "multiple", "numeric"])), name="question_kind_known"
        ),
    ),
]


class Migration(migrations.Migration):
    dependencies = [("exams", "0001_initial")]

    operations = [
        migrations.RunPython(require_valid_rows("exams", CONSTRAINTS), migrations.RunPython.noop),
        *CONSTRAINTS,
    ]
