"""An exam names the namespaces that may hold it; those that have held it still may."""

import re

import django.contrib.postgres.fields
from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

import exam_web.exams.models

OF_A_RESOURCE = re.compile(r"(?P<namespace>[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)\.[-.a-z0-9]+\.[0-9a-f]{8}")
"""The names of sittings that the operator creates (ADR 13)."""
MAX_NAMESPACES = 50


def name_the_holders(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Name for each exam the namespaces of the resources that hold or have held it."""
    alias = schema_editor.connection.alias
    for exam in apps.get_model("exams", "Exam").objects.using(alias).all():
        names = apps.get_model("sittings", "Sitting").objects.using(alias).filter(exam_id=exam.pk)
        found = (OF_A_RESOURCE.fullmatch(name) for name in names.values_list("name", flat=True))
        exam.namespaces = sorted({match["namespace"] for match in found if match})[:MAX_NAMESPACES]
        exam.save(update_fields=["namespaces"])


class Migration(migrations.Migration):
    dependencies = [("exams", "0002_bounds"), ("sittings", "0009_bounds")]

    operations = [
        migrations.AddField(
            model_name="exam",
            name="namespaces",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(max_length=63, validators=[exam_web.exams.models.validate_namespace]),
                blank=True,
                db_default=[],
                default=list,
                help_text="The Kubernetes namespaces, separated by commas, whose Exam resources may schedule and"
                " command its sittings; none if empty",
                size=50,
            ),
        ),
        migrations.RunPython(name_the_holders, migrations.RunPython.noop),
    ]
