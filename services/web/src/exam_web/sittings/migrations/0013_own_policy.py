"""Whether a sitting has a scoring policy of its own; those that exist keep the one that they have."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("sittings", "0012_exam_attempts"), ("exams", "0008_policies")]

    operations = [
        migrations.AddField(
            model_name="sitting", name="own_policy", field=models.BooleanField(db_default=True, default=False)
        ),
    ]
