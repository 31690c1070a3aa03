from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("users", "0001_initial")]

    operations = [
        migrations.AddField(
            model_name="loginsession",
            name="previous",
            field=models.UUIDField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="loginsession",
            name="rotated_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AlterField(
            model_name="revocation",
            name="kind",
            field=models.CharField(
                choices=[("session", "Session"), ("chain", "Chain"), ("subject", "Subject")], max_length=10
            ),
        ),
    ]
