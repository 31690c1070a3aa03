"""Sections of exams, of which some draw questions for each student, and questions that are not shuffled.

A release without them reads and writes the questions alone: those that it inserts are in no section, which is a fault
of an exam that has some.
"""

import django.core.validators
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

GRADER = settings.ENVIRONMENT.grader_role
# A regrade reads the exam.
GRANT = f'GRANT SELECT ON exams_section TO "{GRADER}"'
REVOKE = f'REVOKE SELECT ON exams_section FROM "{GRADER}"'


class Migration(migrations.Migration):
    dependencies = [("exams", "0008_policies")]

    operations = [
        migrations.CreateModel(
            name="Section",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("ident", models.SlugField()),
                ("position", models.PositiveIntegerField()),
                ("title", models.CharField(blank=True, max_length=200)),
                ("instructions", models.TextField(blank=True, max_length=10000)),
                (
                    "draw",
                    models.PositiveSmallIntegerField(
                        blank=True,
                        help_text="How many of its questions each student gets; all if empty",
                        null=True,
                        validators=[django.core.validators.MinValueValidator(1)],
                    ),
                ),
                (
                    "shuffle",
                    models.BooleanField(
                        db_default=True, default=True, help_text="Each student sees its questions in an own order"
                    ),
                ),
                (
                    "exam",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="sections", to="exams.exam"
                    ),
                ),
            ],
            options={"ordering": ("exam", "position")},
        ),
        migrations.AddConstraint(
            model_name="section",
            constraint=models.UniqueConstraint(fields=("exam", "ident"), name="section_ident_once"),
        ),
        migrations.AddConstraint(
            model_name="section",
            constraint=models.UniqueConstraint(
                deferrable=models.Deferrable["DEFERRED"], fields=("exam", "position"), name="section_position_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="section",
            constraint=models.CheckConstraint(
                condition=models.Q(("draw__isnull", True), ("draw__gte", 1), _connector="OR"),
                name="section_draw_positive",
            ),
        ),
        migrations.AddField(
            model_name="question",
            name="section",
            field=models.ForeignKey(
                blank=True,
                help_text="If the exam has sections, each question is in one, and those of a section follow one another",
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="questions",
                to="exams.section",
            ),
        ),
        migrations.AddField(
            model_name="question",
            name="shuffle",
            field=models.BooleanField(
                db_default=True,
                default=True,
                help_text="single, multiple, matching: each student sees choices, stems and targets in an own order. If"
                " not, choices and stems are in this order, and targets in the alphabet's",
            ),
        ),
        migrations.RunSQL(GRANT, REVOKE),
    ]
