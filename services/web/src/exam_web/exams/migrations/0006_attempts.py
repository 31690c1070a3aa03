"""How often a student may take an exam that has several sittings: once, unless it says otherwise."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("exams", "0005_search")]

    operations = [
        migrations.AddField(
            model_name="exam",
            name="attempts",
            field=models.CharField(
                choices=[("one", "one"), ("each-sitting", "one in each sitting")],
                db_default="one",
                default="one",
                help_text="How often a student may take the exam if it has several sittings, for example to make up a"
                " missed one",
                max_length=12,
            ),
        ),
        migrations.AddConstraint(
            model_name="exam",
            constraint=models.CheckConstraint(
                condition=models.Q(("attempts__in", ["one", "each-sitting"])), name="exam_attempts_known"
            ),
        ),
    ]
