"""Solvers know how often a student may take the exam of a sitting, and its other sittings, in which it may have begun.

Solvers of releases before ignore the new member `exam`. A change of `attempts` raises the schedule's epoch under its
lock, as every change that solvers must know of, so that they read it with their next renewal.
"""

from importlib import import_module

from django.db import migrations

from exam_web.common.locks import NAMESPACE, SCHEDULE

BEFORE = import_module("exam_web.sittings.migrations.0008_unreadable_sittings").SITTINGS
BUCKETS = "'buckets', s.buckets,\n"
LEVEL = "JOIN users_level l ON l.id = s.level_id\n"
EXAM = """'buckets', s.buckets,
        'exam', jsonb_build_object(
            'id', s.exam_id,
            'attempts', e.attempts,
            'others', coalesce((
                SELECT jsonb_agg(jsonb_build_object('id', o.id, 'state', o.state, 'buckets', greatest(o.buckets, 1))
                    ORDER BY o.opens_at, o.id)
                FROM sittings_sitting o WHERE o.exam_id = s.exam_id AND o.id <> s.id), '[]'::jsonb)),
"""
SITTINGS = BEFORE.replace(BUCKETS, EXAM, 1).replace(LEVEL, LEVEL + "    JOIN exams_exam e ON e.id = s.exam_id\n", 1)
TRIGGER = f"""
CREATE FUNCTION exam_attempts_changed() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    PERFORM pg_advisory_xact_lock({NAMESPACE}, {SCHEDULE});
    UPDATE sittings_schedule SET epoch = epoch + 1;
    RETURN NULL;
END
$$;
CREATE TRIGGER exam_attempts_changed AFTER UPDATE OF attempts ON exams_exam
    FOR EACH ROW WHEN (OLD.attempts IS DISTINCT FROM NEW.attempts) EXECUTE FUNCTION exam_attempts_changed();
"""
NO_TRIGGER = "DROP TRIGGER exam_attempts_changed ON exams_exam; DROP FUNCTION exam_attempts_changed();"


class Migration(migrations.Migration):
    dependencies = [("sittings", "0011_search"), ("exams", "0006_attempts")]

    operations = [migrations.RunSQL(SITTINGS, BEFORE), migrations.RunSQL(TRIGGER, NO_TRIGGER)]
