"""A degree may be below 0 where the policy of its revision says so."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("degrees", "0003_bounds")]

    operations = [
        migrations.RemoveConstraint(model_name="degree", name="degree_total_bounded"),
        migrations.AddConstraint(
            model_name="degree",
            constraint=models.CheckConstraint(
                condition=models.Q(("total__gte", -models.F("maximum")), ("total__lte", models.F("maximum"))),
                name="degree_total_bounded",
            ),
        ),
    ]
