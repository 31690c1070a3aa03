"""The question bank: categories, questions with immutable versions, and what exams have taken."""

import django.contrib.postgres.fields
import django.contrib.postgres.indexes
import django.core.validators
import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models


VERSIONS = """
CREATE FUNCTION bank_version_immutable() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'a version of a question never changes: add another one' USING ERRCODE = 'restrict_violation';
END
$$;
CREATE TRIGGER bank_version_immutable BEFORE UPDATE ON bank_version
    FOR EACH ROW EXECUTE FUNCTION bank_version_immutable();
CREATE FUNCTION bank_version_kept() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM bank_bankquestion WHERE id = OLD.question_id) THEN
        RAISE EXCEPTION 'a version is deleted only with its question' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NULL;
END
$$;
CREATE CONSTRAINT TRIGGER bank_version_kept AFTER DELETE ON bank_version DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION bank_version_kept();
"""
NO_VERSIONS = """
DROP TRIGGER bank_version_kept ON bank_version;
DROP FUNCTION bank_version_kept();
DROP TRIGGER bank_version_immutable ON bank_version;
DROP FUNCTION bank_version_immutable();
"""
# A release that does not know the table deletes questions of exams as well.
USES = """
ALTER TABLE bank_use ADD CONSTRAINT bank_use_of_question FOREIGN KEY (question_id)
    REFERENCES exams_question (id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED
"""
NO_USES = "ALTER TABLE bank_use DROP CONSTRAINT bank_use_of_question"
SEARCHES = """
CREATE INDEX bankquestion_ident_begins ON bank_bankquestion (UPPER(ident::text) text_pattern_ops);
CREATE INDEX bankquestion_text_words ON bank_bankquestion
    USING gin (to_tsvector('simple'::regconfig, COALESCE(text, '')));
"""
NO_SEARCHES = "DROP INDEX bankquestion_text_words; DROP INDEX bankquestion_ident_begins"


class Migration(migrations.Migration):
    initial = True
    dependencies = [
        ("exams", "0008_policies"),
        ("users", "0007_extra_percent"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Category",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "slug",
                    models.CharField(
                        max_length=50,
                        validators=[
                            django.core.validators.RegexValidator(
                                "^[a-z0-9]+(-[a-z0-9]+)*$", "use small letters, digits and single dashes"
                            )
                        ],
                    ),
                ),
                ("name", models.CharField(max_length=200)),
                ("path", models.CharField(editable=False, max_length=408, unique=True)),
                (
                    "parent",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="children",
                        to="bank.category",
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "categories",
                "ordering": ("path",),
            },
        ),
        migrations.CreateModel(
            name="BankQuestion",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("ident", models.SlugField(unique=True)),
                (
                    "tags",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=50), blank=True, db_default=[], default=list, size=20
                    ),
                ),
                ("newest", models.PositiveIntegerField()),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("single", "single"),
                            ("true-false", "true-false"),
                            ("multiple", "multiple"),
                            ("numeric", "numeric"),
                            ("text", "text"),
                            ("matching", "matching"),
                            ("ordering", "ordering"),
                            ("essay", "essay"),
                        ],
                        max_length=20,
                    ),
                ),
                ("text", models.TextField(max_length=10000)),
                (
                    "created_at",
                    models.DateTimeField(auto_now_add=True, db_default=django.db.models.functions.datetime.Now()),
                ),
                (
                    "author",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="bank_questions",
                        to="users.doctor",
                    ),
                ),
                (
                    "category",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="questions", to="bank.category"
                    ),
                ),
            ],
            options={
                "ordering": ("ident",),
            },
        ),
        migrations.CreateModel(
            name="Version",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("number", models.PositiveIntegerField()),
                ("content", models.JSONField()),
                ("digest", models.CharField(max_length=64)),
                ("comment", models.CharField(blank=True, db_default="", default="", max_length=500)),
                (
                    "created_at",
                    models.DateTimeField(auto_now_add=True, db_default=django.db.models.functions.datetime.Now()),
                ),
                (
                    "author",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "question",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="versions", to="bank.bankquestion"
                    ),
                ),
            ],
            options={
                "ordering": ("question", "number"),
            },
        ),
        migrations.CreateModel(
            name="Use",
            fields=[
                (
                    "question",
                    models.OneToOneField(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="bank_use",
                        serialize=False,
                        to="exams.question",
                    ),
                ),
                (
                    "taken_at",
                    models.DateTimeField(auto_now_add=True, db_default=django.db.models.functions.datetime.Now()),
                ),
                (
                    "version",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="uses", to="bank.version"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="VersionImage",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "image",
                    models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="+", to="exams.image"),
                ),
                (
                    "version",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="images", to="bank.version"
                    ),
                ),
            ],
        ),
        migrations.AddIndex(
            model_name="bankquestion",
            index=django.contrib.postgres.indexes.GinIndex(fields=["tags"], name="bankquestion_tags"),
        ),
        migrations.AddConstraint(
            model_name="bankquestion",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "kind__in",
                        ["single", "true-false", "multiple", "numeric", "text", "matching", "ordering", "essay"],
                    )
                ),
                name="bankquestion_kind_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="bankquestion",
            constraint=models.CheckConstraint(condition=models.Q(("newest__gte", 1)), name="bankquestion_has_version"),
        ),
        migrations.AddConstraint(
            model_name="version",
            constraint=models.UniqueConstraint(fields=("question", "number"), name="version_number_once"),
        ),
        migrations.AddConstraint(
            model_name="version",
            constraint=models.CheckConstraint(condition=models.Q(("number__gte", 1)), name="version_number_from_1"),
        ),
        migrations.AddConstraint(
            model_name="versionimage",
            constraint=models.UniqueConstraint(fields=("version", "image"), name="version_image_once"),
        ),
        migrations.RunSQL(VERSIONS, NO_VERSIONS),
        migrations.RunSQL(USES, NO_USES),
        migrations.RunSQL(SEARCHES, NO_SEARCHES),
    ]
