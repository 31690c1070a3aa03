"""Solvers know the extra time of students in all exams: it is added to what was granted for a sitting.

The entry of a sitting keeps its form, so that solvers of releases before apply both as well. A change raises the
schedule's epoch when its transaction ends, so that a long import does not keep renewals waiting.
"""

from importlib import import_module

from django.conf import settings
from django.db import migrations

from exam_web.common.locks import NAMESPACE, SCHEDULE

BEFORE = import_module("exam_web.sittings.migrations.0012_exam_attempts").SITTINGS
micros = import_module("exam_web.sittings.migrations.0008_unreadable_sittings").micros
GRADER = settings.ENVIRONMENT.grader_role

GRANTED = f"""            SELECT jsonb_object_agg(a.student_id, {micros("a.extra")})
            FROM sittings_accommodation a WHERE a.sitting_id = s.id), '{{}}'::jsonb)
"""
TOGETHER = f"""            SELECT jsonb_object_agg(t.student_id, t.extra) FROM (
                SELECT x.student_id, sum(x.extra)::bigint AS extra FROM (
                    SELECT a.student_id, {micros("a.extra")} AS extra
                    FROM sittings_accommodation a WHERE a.sitting_id = s.id
                    UNION ALL
                    SELECT u.id, {micros("s.duration")} * u.extra_percent / 100
                    FROM users_user u
                    WHERE u.level_id = s.level_id AND u.extra_percent > 0 AND u.kind = 'student') x
                GROUP BY x.student_id) t), '{{}}'::jsonb)
"""
assert GRANTED in BEFORE
SITTINGS = BEFORE.replace(GRANTED, TOGETHER, 1)
TRIGGERS = f"""
CREATE FUNCTION student_extra_changed() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    PERFORM pg_advisory_xact_lock({NAMESPACE}, {SCHEDULE});
    UPDATE sittings_schedule SET epoch = epoch + 1;
    RETURN NULL;
END
$$;
CREATE CONSTRAINT TRIGGER student_extra_changed AFTER UPDATE ON users_user DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (OLD.extra_percent IS DISTINCT FROM NEW.extra_percent
        OR NEW.extra_percent > 0 AND OLD.level_id IS DISTINCT FROM NEW.level_id)
    EXECUTE FUNCTION student_extra_changed();
CREATE CONSTRAINT TRIGGER student_extra_added AFTER INSERT ON users_user DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (NEW.extra_percent > 0) EXECUTE FUNCTION student_extra_changed();
"""
NO_TRIGGERS = """
DROP TRIGGER student_extra_added ON users_user;
DROP TRIGGER student_extra_changed ON users_user;
DROP FUNCTION student_extra_changed();
"""
# Graders close sittings without an operator, and so compute the last deadline.
GRANT = f'GRANT SELECT (level_id, kind, extra_percent) ON users_user TO "{GRADER}"'
REVOKE = f'REVOKE SELECT (level_id, kind, extra_percent) ON users_user FROM "{GRADER}"'


class Migration(migrations.Migration):
    dependencies = [("sittings", "0013_own_policy"), ("users", "0007_extra_percent")]

    operations = [
        migrations.RunSQL(SITTINGS, BEFORE),
        migrations.RunSQL(TRIGGERS, NO_TRIGGERS),
        migrations.RunSQL(GRANT, REVOKE),
    ]
