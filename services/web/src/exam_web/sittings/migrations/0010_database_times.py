"""Times of records come from PostgreSQL's clock, by which they are compared, not from the machine that writes them."""

from django.db import migrations, models
from django.db.models.functions import Now


class Migration(migrations.Migration):
    dependencies = [
        ("sittings", "0009_bounds"),
    ]

    operations = [
        migrations.AlterField(
            model_name="ledgerentry",
            name="graded_at",
            field=models.DateTimeField(db_default=Now(), editable=False),
        ),
        migrations.AlterField(
            model_name="paper",
            name="created_at",
            field=models.DateTimeField(db_default=Now(), editable=False),
        ),
        migrations.AlterField(
            model_name="paperkey",
            name="created_at",
            field=models.DateTimeField(db_default=Now(), editable=False),
        ),
        migrations.AlterField(
            model_name="revision",
            name="started_at",
            field=models.DateTimeField(db_default=Now(), editable=False),
        ),
        migrations.AlterField(
            model_name="sitting",
            name="created_at",
            field=models.DateTimeField(db_default=Now(), editable=False),
        ),
    ]
