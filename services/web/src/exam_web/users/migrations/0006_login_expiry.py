"""An index for the purge of logins by their expiry."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("users", "0005_search")]

    operations = [
        migrations.AlterField(model_name="loginsession", name="expires_at", field=models.DateTimeField(db_index=True)),
    ]
