"""Names that differ by case or width are one, and may have combining marks.

Of accounts that exist with the same key, the oldest gets it; each is still found by its exact name.
"""

from django.db import migrations, models

import exam_web.users.models
import exam_web.users.names
from exam_web.users.names import MAX_KEY, name_key


def fill(apps, schema_editor):
    User = apps.get_model("users", "User")
    taken = set()
    changed = []
    for user in User.objects.order_by("pk").only("pk", "username"):
        key = name_key(user.username)
        if key not in taken and len(key) <= MAX_KEY:
            taken.add(key)
            user.name_key = key
            changed.append(user)
    User.objects.bulk_update(changed, ["name_key"], batch_size=1000)


class Migration(migrations.Migration):
    dependencies = [("users", "0003_bounds")]

    operations = [
        migrations.AlterField(
            model_name="user",
            name="username",
            field=models.CharField(max_length=150, unique=True, validators=[exam_web.users.names.validate_username]),
        ),
        migrations.AddField(
            model_name="user",
            name="name_key",
            field=models.CharField(editable=False, max_length=450, null=True, unique=True),
        ),
        migrations.AlterModelManagers(name="user", managers=[("objects", exam_web.users.models.NamedManager())]),
        migrations.RunPython(fill, migrations.RunPython.noop),
    ]
