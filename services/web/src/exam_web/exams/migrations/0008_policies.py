"""The scoring policy and the review policy of an exam; the defaults are what every exam had before."""

from django.db import migrations, models

import exam_web.exams.models

POLICY = {"format": 1, "multiple": "all-or-nothing"}
REVIEWS = ["nothing", "degree", "points", "paper", "key"]


class Migration(migrations.Migration):
    dependencies = [("exams", "0007_kinds")]

    operations = [
        migrations.AddField(
            model_name="exam",
            name="policy",
            field=models.JSONField(
                db_default=POLICY,
                default=exam_web.exams.models.default_policy,
                validators=[exam_web.exams.models.validate_policy],
            ),
        ),
        migrations.AddField(
            model_name="exam",
            name="review",
            field=models.CharField(
                choices=[
                    ("nothing", "nothing"),
                    ("degree", "the degree"),
                    ("points", "the degree and the points of each question"),
                    ("paper", "points, the paper and the own answers"),
                    ("key", "points, the paper, the own answers and the right ones"),
                ],
                db_default="paper",
                default="paper",
                help_text="What students may see afterwards: the degree once it is published, the rest once no sitting"
                " of the exam is open or to come",
                max_length=10,
            ),
        ),
        migrations.AddConstraint(
            model_name="exam",
            constraint=models.CheckConstraint(condition=models.Q(("review__in", REVIEWS)), name="exam_review_known"),
        ),
    ]
