"""Extra time of a student in all exams, in percent; none for those who exist."""

import django.core.validators
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("users", "0006_login_expiry")]

    operations = [
        migrations.AddField(
            model_name="user",
            name="extra_percent",
            field=models.PositiveSmallIntegerField(
                db_default=0,
                default=0,
                help_text="Extra time in all exams, in percent of the duration of an attempt; 0 for none",
                validators=[django.core.validators.MaxValueValidator(300)],
            ),
        ),
        migrations.AddIndex(
            model_name="user",
            index=models.Index(
                condition=models.Q(("extra_percent__gt", 0)), fields=["level"], name="user_with_extra_time"
            ),
        ),
        migrations.AddConstraint(
            model_name="user",
            constraint=models.CheckConstraint(
                condition=models.Q(("extra_percent__lte", 300)), name="user_extra_percent_bounded"
            ),
        ),
    ]
