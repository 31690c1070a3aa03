"""Exams are drafts until they are published; those that exist stay visible."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("exams", "0003_namespaces")]

    operations = [
        migrations.AddField(
            model_name="exam",
            name="published",
            field=models.BooleanField(
                db_default=True, default=False, help_text="The level sees the exam; sittings can be scheduled."
            ),
        ),
    ]
