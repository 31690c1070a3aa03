"""The secret that salts a sitting's trees, and the roots that buckets and graded chunks are stated under."""

from django.conf import settings
from django.db import migrations, models

from exam_web.sittings.models import RandomSecret

GRADER = settings.ENVIRONMENT.grader_role


class Migration(migrations.Migration):
    dependencies = [("sittings", "0004_new_lease_drained")]

    operations = [
        migrations.AddField("ledgerentry", "tree_root", models.CharField(db_default="", max_length=64)),
        migrations.AddField("sealedbucket", "tree_root", models.CharField(db_default="", max_length=64)),
        migrations.AddField(
            "sitting",
            "proof_secret",
            models.BinaryField(db_default=RandomSecret(output_field=models.BinaryField()), max_length=32),
        ),
        migrations.RunSQL(
            f"""
            GRANT UPDATE (tree_root) ON sittings_sealedbucket TO "{GRADER}";
            GRANT UPDATE (degrees, tree_root) ON sittings_ledgerentry TO "{GRADER}";
            """,
            migrations.RunSQL.noop,
        ),
    ]
