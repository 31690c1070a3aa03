"""What a revision changed and why."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("sittings", "0015_entry")]

    operations = [
        migrations.AddField(
            model_name="revision",
            name="note",
            field=models.CharField(blank=True, db_default="", default="", max_length=1000),
        ),
    ]
