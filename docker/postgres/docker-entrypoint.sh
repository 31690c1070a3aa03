#!/bin/sh
# Compatible with the official image: POSTGRES_PASSWORD (or _FILE), POSTGRES_USER, POSTGRES_DB, POSTGRES_INITDB_ARGS, PGDATA,
# and scripts in /docker-entrypoint-initdb.d that run once, when the data folder is empty. Arguments that begin with a dash
# are passed to postgres.
set -eu

case "${1:-postgres}" in
  postgres) [ $# -eq 0 ] || shift ;;
  -*) ;;
  *) exec "$@" ;;
esac

user=${POSTGRES_USER:-postgres}
database=${POSTGRES_DB:-$user}

if [ ! -s "$PGDATA/PG_VERSION" ]; then
  password=${POSTGRES_PASSWORD:-}
  if [ -n "${POSTGRES_PASSWORD_FILE:-}" ]; then password=$(cat "$POSTGRES_PASSWORD_FILE"); fi
  if [ -z "$password" ]; then
    echo "the data folder is empty and no password is set: set POSTGRES_PASSWORD or POSTGRES_PASSWORD_FILE" >&2
    exit 1
  fi
  # Initialise a staging folder: a container killed half-way leaves nothing that looks like a complete database.
  new=$PGDATA.new
  rm -rf "$new"
  mkdir -p "$(dirname "$PGDATA")"
  umask 077
  printf '%s\n' "$password" > /tmp/password
  # shellcheck disable=SC2086 # word splitting is intended
  initdb --pgdata="$new" --username="$user" --pwfile=/tmp/password --auth-local=trust --auth-host=scram-sha-256 \
    ${POSTGRES_INITDB_ARGS:-}
  rm /tmp/password
  printf 'host all all all scram-sha-256\n' >> "$new/pg_hba.conf"

  # The server listens on a socket only while the scripts run, so that no client connects before they are done.
  pg_ctl --pgdata="$new" --wait --options="-c listen_addresses=''" start
  export PGUSER="$user" PGDATABASE="$database"
  if [ "$database" != postgres ]; then
    createdb --maintenance-db=postgres "$database"
  fi
  for script in /docker-entrypoint-initdb.d/*; do
    case $script in
      *.sh) echo "running $script"; if [ -x "$script" ]; then "$script"; else . "$script"; fi ;;
      *.sql) echo "running $script"; psql --no-psqlrc --set ON_ERROR_STOP=1 --file="$script" ;;
    esac
  done
  unset PGUSER PGDATABASE
  pg_ctl --pgdata="$new" --wait --mode=fast stop
  if [ -d "$PGDATA" ]; then
    # A mount point cannot be replaced, so move the content into it; PG_VERSION, the mark of completion, comes last.
    version=$(cat "$new/PG_VERSION")
    rm "$new/PG_VERSION"
    find "$new" -mindepth 1 -maxdepth 1 -exec mv {} "$PGDATA"/ \;
    printf '%s\n' "$version" > "$PGDATA/PG_VERSION"
    rmdir "$new"
    chmod 700 "$PGDATA"
  else
    mv "$new" "$PGDATA"
  fi
fi

exec postgres -D "$PGDATA" -c listen_addresses='*' "$@"
