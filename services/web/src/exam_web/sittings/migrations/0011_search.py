"""Indexes for the admin's list of sittings: their order, and the search by the beginning of a name."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("sittings", "0010_database_times")]

    operations = [
        migrations.AddIndex(
            model_name="sitting",
            index=models.Index(fields=("opens_at", "name"), name="sitting_by_opening"),
        ),
        migrations.RunSQL(
            "CREATE INDEX sitting_name_begins ON sittings_sitting (UPPER(name::text) text_pattern_ops)",
            "DROP INDEX sitting_name_begins",
        ),
    ]
