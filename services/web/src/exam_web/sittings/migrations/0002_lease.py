"""The schedule's one row, the lease functions, and what solver and grader may do in this database."""

from django.conf import settings
from django.db import migrations

from exam_web.common.locks import NAMESPACE, REVOCATIONS, SCHEDULE

SOLVER = settings.ENVIRONMENT.solver_role
GRADER = settings.ENVIRONMENT.grader_role

MICROS = "(extract(epoch from {}) * 1000000)::bigint"


def micros(column):
    return MICROS.format(column)


SITTINGS = f"""
CREATE FUNCTION solver_sittings() RETURNS jsonb
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT coalesce(jsonb_agg(jsonb_build_object(
        'id', s.id,
        'state', s.state,
        'epoch', s.epoch,
        'level', l.slug,
        'paper', s.paper_id,
        'buckets', s.buckets,
        'window', jsonb_build_object(
            'opens_at', {micros("s.opens_at")},
            'closes_at', {micros("s.closes_at")},
            'duration', (extract(epoch from s.duration) * 1000000)::bigint,
            'pauses', coalesce((
                SELECT jsonb_agg(jsonb_build_array({micros("p.began_at")}, {micros("p.ended_at")}) ORDER BY p.began_at)
                FROM sittings_sittingpause p WHERE p.sitting_id = s.id), '[]'::jsonb),
            'stopped_at', {micros("s.stopped_at")},
            'extra_past_close', s.extra_past_close),
        'accommodations', coalesce((
            SELECT jsonb_object_agg(a.student_id, (extract(epoch from a.extra) * 1000000)::bigint)
            FROM sittings_accommodation a WHERE a.sitting_id = s.id), '{{}}'::jsonb)
    ) ORDER BY s.opens_at, s.id), '[]'::jsonb)
    FROM sittings_sitting s JOIN users_level l ON l.id = s.level_id
    WHERE s.state IN ('scheduled', 'closing') OR s.closes_at > clock_timestamp() - interval '1 day'
$$;
"""

RENEW = f"""
CREATE FUNCTION solver_renew(
    p_holder uuid, p_ttl_ms int, p_known_epoch bigint, p_drained_epoch bigint, p_known_revocation bigint
) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    -- Before any lock is waited for: the solver's clock runs from here (docs/architecture.md).
    v_entered timestamptz := clock_timestamp();
    v_epoch bigint;
    v_lapsed boolean := false;
BEGIN
    IF p_ttl_ms NOT BETWEEN 1000 AND 60000 THEN
        RAISE EXCEPTION 'a lease lasts from 1000 to 60000 ms, not %', p_ttl_ms USING ERRCODE = 'invalid_parameter_value';
    END IF;
    PERFORM pg_advisory_xact_lock_shared({NAMESPACE}, {SCHEDULE});
    PERFORM pg_advisory_xact_lock_shared({NAMESPACE}, {REVOCATIONS});
    SELECT epoch INTO STRICT v_epoch FROM sittings_schedule;
    IF p_known_epoch = 0 THEN
        INSERT INTO sittings_solverlease (holder, renewed_at, ttl, drained_epoch)
        VALUES (p_holder, clock_timestamp(), p_ttl_ms * interval '1 ms', 0);
    ELSE
        -- A lapsed lease is never renewed, and a holder acknowledges only epochs that it has received.
        UPDATE sittings_solverlease
        SET renewed_at = clock_timestamp(),
            ttl = p_ttl_ms * interval '1 ms',
            drained_epoch = greatest(drained_epoch, least(p_drained_epoch, v_epoch))
        WHERE holder = p_holder AND renewed_at + ttl > clock_timestamp();
        v_lapsed := NOT FOUND;
    END IF;
    IF v_lapsed THEN
        RETURN jsonb_build_object('lapsed', true);
    END IF;
    RETURN jsonb_build_object(
        'lapsed', false,
        'entered_at', {micros("v_entered")},
        'epoch', v_epoch,
        'sittings', CASE WHEN p_known_epoch = v_epoch THEN 'null'::jsonb ELSE solver_sittings() END,
        'revocations', (
            SELECT coalesce(jsonb_agg(jsonb_build_object(
                'id', r.id, 'kind', r.kind, 'value', r.value,
                'before', {micros("r.before")}, 'expires_at', {micros("r.expires_at")}) ORDER BY r.id), '[]'::jsonb)
            FROM users_revocation r
            WHERE r.id > p_known_revocation AND r.expires_at > clock_timestamp()));
END
$$;
"""

RELEASE = """
CREATE FUNCTION solver_release(p_holder uuid) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    DELETE FROM sittings_solverlease WHERE holder = p_holder
$$;
"""

GRANTS = f"""
REVOKE ALL ON FUNCTION solver_sittings() FROM PUBLIC;
REVOKE ALL ON FUNCTION solver_renew(uuid, int, bigint, bigint, bigint) FROM PUBLIC;
REVOKE ALL ON FUNCTION solver_release(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION solver_renew(uuid, int, bigint, bigint, bigint) TO "{SOLVER}";
GRANT EXECUTE ON FUNCTION solver_release(uuid) TO "{SOLVER}";

GRANT SELECT ON django_migrations, users_level, exams_exam, exams_question, exams_choice, exams_image,
    sittings_paper, sittings_paperkey, sittings_sitting, sittings_sittingpause, sittings_accommodation,
    sittings_schedule, sittings_solverlease, sittings_sealedbucket, sittings_revision, sittings_ledgerentry TO "{GRADER}";
GRANT SELECT (id) ON users_user TO "{GRADER}";
GRANT UPDATE (state, epoch, closed_at, drained_at, sealed_at, seal_digest, stopped_at, published_revision, published_at)
    ON sittings_sitting TO "{GRADER}";
-- A regrade reads the exam under a row lock, which takes the right to update some column: the least there is.
GRANT UPDATE (updated_at) ON exams_exam TO "{GRADER}";
GRANT UPDATE ON sittings_schedule, sittings_revision TO "{GRADER}";
GRANT DELETE ON sittings_solverlease TO "{GRADER}";
GRANT INSERT ON sittings_paperkey, sittings_sealedbucket, sittings_revision, sittings_ledgerentry TO "{GRADER}";
GRANT USAGE ON SEQUENCE sittings_sealedbucket_id_seq, sittings_revision_id_seq, sittings_ledgerentry_id_seq TO "{GRADER}";
"""

DROP = """
DROP FUNCTION solver_release(uuid);
DROP FUNCTION solver_renew(uuid, int, bigint, bigint, bigint);
DROP FUNCTION solver_sittings();
"""


class Migration(migrations.Migration):
    dependencies = [("sittings", "0001_initial"), ("users", "0001_initial")]

    operations = [
        migrations.RunSQL(
            "INSERT INTO sittings_schedule (id, epoch) VALUES (1, 1)", "DELETE FROM sittings_schedule WHERE id = 1"
        ),
        migrations.RunSQL(SITTINGS + RENEW + RELEASE, DROP),
        migrations.RunSQL(GRANTS, migrations.RunSQL.noop),
    ]
