"""A new lease row is born drained up to the schedule's epoch, so that it does not delay a drain.

Its holder has admitted nothing: whatever it admits later is admitted under this epoch or a later one, because the row
is written under the schedule's shared lock and the solver receives that epoch. The function's arguments and result are
those of before, so that solvers of both releases can call either version.
"""

from django.db import migrations

from exam_web.common.locks import NAMESPACE, REVOCATIONS, SCHEDULE


def renew(born):
    return f"""
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
        INSERT INTO sittings_solverlease (holder, renewed_at, ttl, drained_epoch)
        VALUES (p_holder, clock_timestamp(), p_ttl_ms * interval '1 ms', {born});
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
        'entered_at', (extract(epoch from v_entered) * 1000000)::bigint,
        'epoch', v_epoch,
        'sittings', CASE WHEN p_known_epoch = v_epoch THEN 'null'::jsonb ELSE solver_sittings() END,
        'revocations', (
            SELECT coalesce(jsonb_agg(jsonb_build_object(
                'id', r.id, 'kind', r.kind, 'value', r.value,
                'before', (extract(epoch from r.before) * 1000000)::bigint, 'expires_at', (extract(epoch from r.expires_at) * 1000000)::bigint) ORDER BY r.id), '[]'::jsonb)
            FROM users_revocation r
            WHERE r.id > p_known_revocation AND r.expires_at > clock_timestamp()));
END
$$;
"""


class Migration(migrations.Migration):
    dependencies = [("sittings", "0003_paper_distributed")]

    operations = [migrations.RunSQL(renew("v_epoch"), renew("0"))]
