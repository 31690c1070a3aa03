"""What the grader may do with degrees."""

from django.conf import settings
from django.db import migrations

GRADER = settings.ENVIRONMENT.grader_role


class Migration(migrations.Migration):
    dependencies = [("degrees", "0001_initial")]

    operations = [
        migrations.RunSQL(
            f"""
            GRANT SELECT, INSERT, UPDATE ON degrees_degree TO "{GRADER}";
            GRANT USAGE ON SEQUENCE degrees_degree_id_seq TO "{GRADER}";
            """,
            migrations.RunSQL.noop,
        )
    ]
