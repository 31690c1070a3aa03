"""Count the renewals of each lease row; a lease ends when its row is deleted, not by the database's wall clock.

Web and grader delete a row once they have seen it unchanged for its ttl on their own monotonic clock. The function's
arguments and result are those of before: a solver judges its own lease by its boot clock, and becomes a new holder when
its row is gone, so that solvers of both releases can call either version.
"""

from importlib import import_module

from django.db import migrations, models

from exam_web.common.locks import NAMESPACE, REVOCATIONS, SCHEDULE

BY_WALL_CLOCK = import_module("exam_web.sittings.migrations.0004_new_lease_drained").renew("v_epoch")

RENEW = f"""
CREATE OR REPLACE FUNCTION solver_renew(
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
        INSERT INTO sittings_solverlease (holder, renewed_at, ttl, drained_epoch, renewals)
        VALUES (p_holder, clock_timestamp(), p_ttl_ms * interval '1 ms', v_epoch, 0);
    ELSE
        -- A deleted lease is never renewed, and a holder acknowledges only epochs that it has received.
        UPDATE sittings_solverlease
        SET renewed_at = clock_timestamp(),
            ttl = p_ttl_ms * interval '1 ms',
            drained_epoch = greatest(drained_epoch, least(p_drained_epoch, v_epoch)),
            renewals = renewals + 1
        WHERE holder = p_holder;
        v_lapsed := NOT FOUND;
    END IF;
    IF v_lapsed THEN
        RETURN jsonb_build_object('lapsed', true);
    END IF;
    RETURN jsonb_build_object(
        'lapsed', false,
        'entered_at', (extract(epoch from v_entered) * 1000000)::bigint,
        'epoch', v_epoch,
        'sittings', CASE WHEN p_known_epoch = v_epoch THEN 'null'::jsonb ELSE solver_sittings() END,
        'revocations', (
            SELECT coalesce(jsonb_agg(jsonb_build_object(
                'id', r.id, 'kind', r.kind, 'value', r.value,
                'before', (extract(epoch from r.before) * 1000000)::bigint,
                'expires_at', (extract(epoch from r.expires_at) * 1000000)::bigint) ORDER BY r.id), '[]'::jsonb)
            FROM users_revocation r
            WHERE r.id > p_known_revocation AND r.expires_at > clock_timestamp()));
END
$$;
"""


class Migration(migrations.Migration):
    dependencies = [("sittings", "0005_seal_trees")]

    operations = [
        migrations.AddField("solverlease", "renewals", models.BigIntegerField(db_default=0)),
        migrations.RunSQL(RENEW, BY_WALL_CLOCK),
    ]
