"""Who of a level may start in a sitting: named students, those who know an access code, those in some networks.

The entry of such a sitting in the schedule has a level that no student has, and the real one in its member `entry`:
solvers of releases before, which ignore that member, let no student start there.
"""

from importlib import import_module

import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models

from exam_core.entry import RESTRICTED

BEFORE = import_module("exam_web.sittings.migrations.0014_extra_percent").SITTINGS
LEVEL = "        'level', l.slug,\n"
RULES = "s.named_only OR s.access_code <> '' OR s.networks <> '{}'"
ENTRY = f"""        'level', CASE WHEN {RULES} THEN '{RESTRICTED}' ELSE l.slug END,
        'entry', CASE WHEN {RULES} THEN jsonb_build_object(
            'level', l.slug,
            'students', CASE WHEN s.named_only THEN coalesce((
                SELECT jsonb_agg(n.student_id ORDER BY n.student_id)
                FROM sittings_namedstudent n WHERE n.sitting_id = s.id), '[]'::jsonb) END,
            'code', nullif(s.access_code, ''),
            'networks', to_jsonb(s.networks)) END,
"""
assert LEVEL in BEFORE
# The first one: an entry with an error is not served.
SITTINGS = BEFORE.replace(LEVEL, ENTRY, 1)


class Migration(migrations.Migration):
    dependencies = [("sittings", "0014_extra_percent")]

    operations = [
        migrations.AddField(
            model_name="sitting", name="named_only", field=models.BooleanField(db_default=False, default=False)
        ),
        migrations.AddField(
            model_name="sitting",
            name="access_code",
            field=models.CharField(blank=True, db_default="", default="", editable=False, max_length=200),
        ),
        migrations.AddField(
            model_name="sitting",
            name="networks",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(max_length=49), blank=True, db_default=[], default=list, size=50
            ),
        ),
        migrations.CreateModel(
            name="NamedStudent",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "sitting",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="named_students",
                        to="sittings.sitting",
                    ),
                ),
                (
                    "student",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="users.student"
                    ),
                ),
            ],
        ),
        migrations.AddConstraint(
            model_name="namedstudent",
            constraint=models.UniqueConstraint(fields=("sitting", "student"), name="student_named_once"),
        ),
        migrations.CreateModel(
            name="SittingEntry",
            fields=[],
            options={
                "verbose_name": "rules of starts",
                "verbose_name_plural": "rules of starts",
                "proxy": True,
                "indexes": [],
                "constraints": [],
            },
            bases=("sittings.sitting",),
        ),
        migrations.RunSQL(SITTINGS, BEFORE),
    ]
