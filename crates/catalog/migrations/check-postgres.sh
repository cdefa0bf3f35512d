#!/bin/sh
# Runs the migrations on a throw-away PostgreSQL cluster and compares what came out with what they say:
# every named constraint and index is there, and the queue and the lists answer.
#
#     ./check-postgres.sh            needs PostgreSQL's programs (Debian: package postgresql)
#
# initdb refuses to run as root; then the script runs it as user postgres.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
bin=${PGBIN:-$(ls -d /usr/lib/postgresql/*/bin | tail -n 1)}
work=$(mktemp -d /tmp/pressrun-pg.XXXXXX)
if [ "$(id -u)" = 0 ]; then
    chown postgres "$work"
    as() { su postgres -s /bin/sh -c "$1"; }
else
    as() { sh -c "$1"; }
fi
stop() {
    as "$bin/pg_ctl -D $work/data -m immediate stop" >/dev/null 2>&1 || true
    rm -rf "$work"
}
trap stop EXIT INT TERM

as "$bin/initdb -D $work/data -A trust --locale=C --encoding=UTF8" >/dev/null
# No TCP: the socket in the folder is enough, and no other server can be in the way.
as "$bin/pg_ctl -D $work/data -w -l $work/log -o \"-c listen_addresses= -c unix_socket_directories=$work\" start" >/dev/null
psql() { as "$bin/psql -h $work -d postgres -X -q -v ON_ERROR_STOP=1 -At $*"; }

for file in "$here"/[0-9]*.sql; do
    # Each file is one transaction, as sqlx runs it.
    cp "$file" "$work/migration.sql"
    chmod a+r "$work/migration.sql"
    psql "-1 -f $work/migration.sql"
done

sed 's/--.*//' "$here"/[0-9]*.sql | grep -o 'CONSTRAINT  *[a-z_]*' | awk '{print $2}' >"$work/want"
sed 's/--.*//' "$here"/[0-9]*.sql | grep -o 'CREATE INDEX  *[a-z_]*' | awk '{print $3}' >>"$work/want"
# What a later migration has taken away says `-- gone: NAME`; a table made anew names its constraints again.
sed -n 's/^-- gone: //p' "$here"/[0-9]*.sql >"$work/gone"
sort -u "$work/want" | grep -vxFf "$work/gone" >"$work/left"
cat >"$work/have.sql" <<'SQL'
SELECT conname FROM pg_constraint
WHERE connamespace = 'public'::regnamespace AND contype <> 'n';
SELECT indexrelid::regclass FROM pg_index JOIN pg_class ON pg_class.oid = indrelid
WHERE relnamespace = 'public'::regnamespace
AND NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conindid = indexrelid);
SQL
psql "-f $work/have.sql" | sort >"$work/have"
diff "$work/left" "$work/have"

cat >"$work/use.sql" <<'SQL'
INSERT INTO papers (added_at, id, slug, listed, dated, title, authors, title_key, summary)
VALUES (1, 'a', 'a', '2025-09-09', '2025-09-09', 'A', '', 'a', ''), (1, 'b', NULL, NULL, '', 'B', '', 'b', '')
ON CONFLICT (id) DO UPDATE SET title = excluded.title;
PREPARE list (text, text, bigint, bigint) AS
WITH of_period AS MATERIALIZED (SELECT id, dated, trending FROM papers WHERE listed BETWEEN $1 AND $2)
SELECT id FROM of_period ORDER BY trending DESC, dated DESC, id LIMIT $3 OFFSET $4;
EXECUTE list ('2025-09-08', '2025-09-14', 10, 0);
INSERT INTO runs (created_at, id, slug, profile, state) VALUES (1, 'r1', 'a', 'quick', 'queued');
UPDATE runs SET state = 'running', worker = 'w', started_at = 2, lease_until = 3
WHERE state = 'queued' AND id = (SELECT id FROM runs WHERE state = 'queued'
ORDER BY created_at, id LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING id;
INSERT INTO run_events (seq, run, event) VALUES (1, 'r1', '{}') ON CONFLICT DO NOTHING;
INSERT INTO run_events (seq, run, event) VALUES (1, 'r1', '{}') ON CONFLICT DO NOTHING;
SELECT COUNT(*) FROM run_events;
SQL
chmod a+r "$work/use.sql"
answer=$(psql "-f $work/use.sql" | tr '\n' ' ')
if [ "$answer" != "a r1 1 " ]; then
    echo "unexpected answers: $answer" >&2
    exit 1
fi
echo "$(wc -l <"$work/want") constraints and indexes, as named; statements answer"
