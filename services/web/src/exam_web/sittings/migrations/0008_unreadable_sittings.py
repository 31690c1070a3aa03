"""A sitting whose row is out of bounds no longer fails the renewal of every other one.

Its entry has an `error`, which tells solvers that they cannot serve it. Solvers of releases before read each entry as a
sitting, and fail the renewal if they cannot: for them it is well formed, and paused, so that they neither accept nor
finally reject anything until they are replaced; or over, if it is.
"""

from importlib import import_module

from django.db import migrations

MIN = "timestamptz '2000-01-01 00:00:00Z'"
MAX = "timestamptz '2100-01-01 00:00:00Z'"
LONGEST = "interval '24 h'"
MICROS = "(extract(epoch from {}) * 1000000)::bigint"


def micros(column):
    return MICROS.format(column)


def bounded(column):
    return f"{column} >= {MIN} AND {column} < {MAX}"


# The conditions are tested in this order, and the first that is false or unknown is the fault. Rows that meet all of
# them can be rendered: every number fits, and no instant is infinite.
CONDITIONS = (
    ("state", "s.state IN ('scheduled', 'closing', 'sealed', 'cancelled')"),
    ("opens_at", bounded("s.opens_at")),
    ("closes_at", bounded("s.closes_at") + " AND s.closes_at > s.opens_at"),
    ("stopped_at", "s.stopped_at IS NULL OR " + bounded("s.stopped_at")),
    ("duration", f"s.duration > interval '0' AND s.duration <= {LONGEST}"),
    ("buckets", "s.buckets >= 1"),
    (
        "pauses",
        f"""NOT EXISTS (
            SELECT FROM (
                SELECT p.began_at, p.ended_at, lead(p.began_at) OVER (ORDER BY p.began_at, p.id) AS next_began_at
                FROM sittings_sittingpause p WHERE p.sitting_id = s.id) p
            WHERE ({bounded("p.began_at")}) IS NOT TRUE
                OR p.ended_at IS NOT NULL AND ({bounded("p.ended_at")} AND p.ended_at >= p.began_at) IS NOT TRUE
                OR p.next_began_at < p.ended_at
                OR p.ended_at IS NULL AND p.next_began_at IS NOT NULL)""",
    ),
    (
        "accommodations",
        f"""NOT EXISTS (
            SELECT FROM sittings_accommodation a
            WHERE a.sitting_id = s.id AND (a.extra >= interval '0' AND a.extra <= {LONGEST}) IS NOT TRUE)""",
    ),
)
FAULT = "CASE " + " ".join(f"WHEN ({condition}) IS NOT TRUE THEN '{name}'" for name, condition in CONDITIONS) + " END"

SITTINGS = f"""
CREATE OR REPLACE FUNCTION solver_sittings() RETURNS jsonb
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT coalesce(jsonb_agg(CASE WHEN f.fault IS NULL THEN jsonb_build_object(
        'id', s.id,
        'state', s.state,
        'epoch', s.epoch,
        'level', l.slug,
        'paper', s.paper_id,
        'buckets', s.buckets,
        'window', jsonb_build_object(
            'opens_at', {micros("s.opens_at")},
            'closes_at', {micros("s.closes_at")},
            'duration', {micros("s.duration")},
            'pauses', coalesce((
                SELECT jsonb_agg(
                    jsonb_build_array({micros("p.began_at")}, {micros("p.ended_at")}) ORDER BY p.began_at, p.id)
                FROM sittings_sittingpause p WHERE p.sitting_id = s.id), '[]'::jsonb),
            'stopped_at', {micros("s.stopped_at")},
            'extra_past_close', s.extra_past_close),
        'accommodations', coalesce((
            SELECT jsonb_object_agg(a.student_id, {micros("a.extra")})
            FROM sittings_accommodation a WHERE a.sitting_id = s.id), '{{}}'::jsonb)
    ) ELSE jsonb_build_object(
        'id', s.id,
        'error', f.fault || ' out of bounds',
        'state', CASE WHEN s.state IN ('closing', 'sealed', 'cancelled') THEN s.state ELSE 'scheduled' END,
        'epoch', s.epoch,
        'level', l.slug,
        'paper', s.paper_id,
        'buckets', greatest(s.buckets, 1),
        'window', jsonb_build_object(
            'opens_at', 0,
            'closes_at', {micros(MAX)},
            'duration', {micros(LONGEST)},
            'pauses', '[[0, null]]'::jsonb,
            'stopped_at', NULL,
            'extra_past_close', true),
        'accommodations', '{{}}'::jsonb)
    END ORDER BY s.opens_at, s.id), '[]'::jsonb)
    FROM sittings_sitting s
    JOIN users_level l ON l.id = s.level_id
    CROSS JOIN LATERAL (SELECT {FAULT} AS fault) f
    WHERE s.state NOT IN ('sealed', 'cancelled') OR s.closes_at > clock_timestamp() - interval '1 day'
$$;
"""
BEFORE = import_module("exam_web.sittings.migrations.0002_lease").SITTINGS.replace("CREATE", "CREATE OR REPLACE", 1)


class Migration(migrations.Migration):
    dependencies = [("sittings", "0007_frozen_at")]

    operations = [migrations.RunSQL(SITTINGS, BEFORE)]
