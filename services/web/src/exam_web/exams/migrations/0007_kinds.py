"""Questions of eight kinds, with formats of texts, credits and targets.

A release without them reads and writes what it knows: its rows have plain texts and no settings.
"""

from django.db import migrations, models
from django.db.models.lookups import Exact

import exam_web.exams.models

FORMATS = [("markdown", "markdown"), ("html", "html"), ("plain", "plain")]
KINDS = ["single", "true-false", "multiple", "numeric", "text", "matching", "ordering", "essay"]


class Migration(migrations.Migration):
    dependencies = [("exams", "0006_attempts")]

    operations = [
        migrations.AddField(
            model_name="exam",
            name="format",
            field=models.CharField(
                choices=FORMATS,
                db_default="plain",
                default="markdown",
                help_text="How the instructions are written, and the texts of new questions",
                max_length=10,
            ),
        ),
        migrations.AddField(
            model_name="question",
            name="format",
            field=models.CharField(
                choices=FORMATS,
                db_default="plain",
                default="markdown",
                help_text="How the question's texts are written",
                max_length=10,
            ),
        ),
        migrations.AddField(
            model_name="question",
            name="settings",
            field=models.JSONField(blank=True, db_default={}, default=dict),
        ),
        migrations.AlterField(
            model_name="question",
            name="kind",
            field=models.CharField(choices=[(kind, kind) for kind in KINDS], max_length=20),
        ),
        migrations.AddField(
            model_name="choice",
            name="credit",
            field=models.CharField(
                blank=True,
                help_text="A choice or an accepted answer: the part of the points that it earns, like 1/3, 0.25 or"
                " -1/2. If empty, 1 for a correct choice and for an accepted answer, else 0",
                max_length=40,
                null=True,
                validators=[exam_web.exams.models.validate_credit],
            ),
        ),
        migrations.AddField(
            model_name="choice",
            name="target",
            field=models.CharField(
                blank=True,
                db_default="",
                default="",
                help_text="Matching: the target of the stem; with neither text nor image, a target without a stem",
                max_length=2000,
            ),
        ),
        migrations.RemoveConstraint(model_name="question", name="question_kind_known"),
        migrations.AddConstraint(
            model_name="question",
            constraint=models.CheckConstraint(condition=models.Q(("kind__in", KINDS)), name="question_kind_known"),
        ),
        migrations.AddConstraint(
            model_name="question",
            constraint=models.CheckConstraint(
                condition=models.Q(("format__in", ["markdown", "html", "plain"])), name="question_format_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="question",
            constraint=models.CheckConstraint(
                condition=Exact(
                    models.Func(models.F("settings"), function="jsonb_typeof", output_field=models.TextField()),
                    models.Value("object"),
                ),
                name="question_settings_object",
            ),
        ),
        migrations.AddConstraint(
            model_name="exam",
            constraint=models.CheckConstraint(
                condition=models.Q(("format__in", ["markdown", "html", "plain"])), name="exam_format_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="choice",
            constraint=models.CheckConstraint(
                condition=models.Q(("credit", ""), _negated=True), name="choice_credit_not_empty"
            ),
        ),
    ]
