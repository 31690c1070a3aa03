from django.db import migrations, models
from django.db.models.functions import Now


class Migration(migrations.Migration):
    dependencies = [("sittings", "0006_lease_renewals")]

    operations = [
        # Defaults in the database, so that processes of the previous release can still provision.
        migrations.AddField(model_name="sitting", name="frozen_at", field=models.DateTimeField(db_default=Now())),
        migrations.AddField(
            model_name="sitting",
            name="refreeze",
            field=models.CharField(blank=True, db_default="", default="", max_length=63),
        ),
        # Until now, a sitting's paper was frozen when the sitting was created.
        migrations.RunSQL("UPDATE sittings_sitting SET frozen_at = created_at", migrations.RunSQL.noop),
    ]
