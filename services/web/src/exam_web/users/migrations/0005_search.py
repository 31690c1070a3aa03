"""Indexes for the admin's search of users by the beginning of a name."""

from django.db import migrations

FIELDS = ("username", "first_name", "last_name", "email")


class Migration(migrations.Migration):
    dependencies = [("users", "0004_name_key")]

    operations = [
        migrations.RunSQL(
            f"CREATE INDEX user_{field}_begins ON users_user (UPPER({field}::text) text_pattern_ops)",
            f"DROP INDEX user_{field}_begins",
        )
        for field in FIELDS
    ]
