"""Indexes for the admin's search of exams and questions: beginnings of ids, words of titles and texts."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("exams", "0004_published")]

    operations = [
        migrations.RunSQL(
            "CREATE INDEX exam_slug_begins ON exams_exam (UPPER(slug::text) text_pattern_ops)",
            "DROP INDEX exam_slug_begins",
        ),
        migrations.RunSQL(
            "CREATE INDEX exam_title_words ON exams_exam USING gin (to_tsvector('simple'::regconfig, COALESCE(title, '')))",
            "DROP INDEX exam_title_words",
        ),
        migrations.RunSQL(
            "CREATE INDEX question_ident_begins ON exams_question (UPPER(ident::text) text_pattern_ops)",
            "DROP INDEX question_ident_begins",
        ),
        migrations.RunSQL(
            "CREATE INDEX question_text_words ON exams_question "
            "USING gin (to_tsvector('simple'::regconfig, COALESCE(text, '')))",
            "DROP INDEX question_text_words",
        ),
    ]
