"""The statements of the PostgreSQL store. Bulk inserts send one array per column: one round trip for each table."""

import re

LOCK = 7_301_001
"""Key of the advisory lock that orders commits (any number that this database uses for nothing else)."""

MIGRATION_LOCK = 7_301_002
"""Key of the advisory lock under which one replica migrates while the others wait."""

# Commits of all replicas go one after another. Positions are then given in the order of commits, so that a consumer
# that reads "after position n" never misses one that was given earlier and committed later; and no two can deadlock.
BEGIN = f"BEGIN; SELECT pg_advisory_xact_lock({LOCK})"

CHAINS = "SELECT id, no, sequence FROM chain WHERE id = ANY($1::text[])"
ORIGINS = (
    "SELECT c.id, e.origin FROM unnest($1::text[], $2::text[]) AS u(id, origin) "
    "JOIN chain c ON c.id = u.id JOIN event e ON e.chain = c.no AND e.origin = u.origin"
)
HOLDERS = "SELECT k.key, c.id FROM claim k JOIN chain c ON c.no = k.chain WHERE k.key = ANY($1::text[])"

NEW_CHAINS = (
    "INSERT INTO chain(id, kind, machine_version, schema, sequence, at, state, final, deadline) SELECT * FROM unnest("
    "$1::text[], $2::text[], $3::int[], $4::int[], $5::int[], $6::bigint[], $7::bytea[], $8::bool[], $9::bigint[]) "
    "RETURNING id, no"
)
UPDATE_CHAIN = (
    "UPDATE chain SET machine_version=$3, schema=$4, sequence=$5, at=$6, state=$7, final=$8, deadline=$9 "
    "WHERE no=$1 AND sequence=$2"
)
EVENTS = (
    "INSERT INTO event(chain, sequence, machine_version, schema, at, source, origin, event, seen, outcome, reply) "
    "SELECT chain, sequence, machine_version, schema, at, source, origin, event, seen, outcome, reply FROM unnest("
    "$1::bigint[], $2::int[], $3::int[], $4::int[], $5::bigint[], $6::text[], $7::text[], $8::bytea[], $9::bytea[], "
    "$10::bytea[], $11::text[]) WITH ORDINALITY AS u(chain, sequence, machine_version, schema, at, source, origin, "
    "event, seen, outcome, reply, place) ORDER BY place"
)
ORDERS = (
    "INSERT INTO outbox(chain, sequence, number, ordered) "
    "SELECT * FROM unnest($1::bigint[], $2::int[], $3::int[], $4::bigint[])"
)
RAWS = "INSERT INTO raw_payload(chain, sequence, body) SELECT * FROM unnest($1::bigint[], $2::int[], $3::bytea[])"
RELEASE = "DELETE FROM claim WHERE key=$1"
TAKE = (
    "INSERT INTO claim(key, chain, expires) SELECT * FROM unnest($1::text[], $2::bigint[], $3::bigint[]) "
    "ON CONFLICT (key) DO UPDATE SET chain=excluded.chain, expires=excluded.expires"
)
CONTENTS = "INSERT INTO content(digest, body) SELECT * FROM unnest($1::text[], $2::bytea[]) ON CONFLICT DO NOTHING"
SECRETS = "INSERT INTO vault(token, kind, value) SELECT * FROM unnest($1::text[], $2::text[], $3::text[])"
DONE = "DELETE FROM outbox WHERE chain=(SELECT no FROM chain WHERE id=$1) AND sequence=$2 AND number=$3"
ASIDE = "UPDATE outbox SET aside=$4 WHERE chain=(SELECT no FROM chain WHERE id=$1) AND sequence=$2 AND number=$3"
ROW_BY_ROW = frozenset({UPDATE_CHAIN, RELEASE, DONE, ASIDE})
"""Changes of rows by their key are sent row by row, in one go: joined with arrays they depend on statistics that a
young table does not have (measured on PostgreSQL 15: 425 ms instead of 5 ms for 100 rows, table never analysed).
"""
PUT_BACK = (
    "UPDATE outbox SET aside = NULL WHERE aside IS NOT NULL AND sequence = $2 AND number = $3 "
    "AND chain = (SELECT no FROM chain WHERE id = $1)"
)

_CHAIN_COLUMNS = "c.no, c.id, c.kind, c.machine_version, c.schema, c.sequence, c.at, c.state, c.final, c.deadline"
LOAD = f"SELECT {_CHAIN_COLUMNS} FROM chain c WHERE c.id = ANY($1::text[])"  # noqa: S608 - constant columns
LOAD_LIVE = f"SELECT {_CHAIN_COLUMNS} FROM chain c WHERE NOT c.final ORDER BY c.no"  # noqa: S608 - constant columns
LOAD_ORIGINS = "SELECT chain, origin, reply FROM event WHERE origin IS NOT NULL AND chain = ANY($1::bigint[])"
CLAIMS = "SELECT k.key, c.id, k.expires FROM claim k JOIN chain c ON c.no = k.chain"
ORDERS_LEFT = (
    "SELECT c.id, o.sequence, o.number, c.kind, e.machine_version, e.schema, o.ordered, e.outcome, o.aside "
    "FROM outbox o JOIN chain c ON c.no = o.chain JOIN event e ON e.chain = o.chain AND e.sequence = o.sequence "
    "ORDER BY e.position, o.number"
)
ALL_CONTENTS = "SELECT digest, body FROM content"
TOKENS = (
    "SELECT v.kind, v.value, v.token FROM unnest($1::text[], $2::text[]) AS u(kind, value) "
    "JOIN vault v ON v.kind = u.kind AND v.value = u.value"
)
REVEAL = "SELECT token, value FROM vault WHERE token = ANY($1::text[])"

_LOG = (
    "SELECT e.position, c.id, c.kind, e.machine_version, e.schema, e.sequence, e.at, e.source, e.origin, e.event, "
    "e.seen, e.outcome FROM event e JOIN chain c ON c.no = e.chain "
)
HISTORY = _LOG + "WHERE c.id = $1 ORDER BY e.sequence"
RECORDS = _LOG + "WHERE e.position > $1 ORDER BY e.position LIMIT $2"
FIND = (
    f"SELECT {_CHAIN_COLUMNS} FROM chain c "  # noqa: S608 - constant columns
    "WHERE c.kind = $1 AND ($2::boolean IS NULL OR c.final = $2) ORDER BY c.no DESC LIMIT $3"
)
OVERDUE = (
    "SELECT id, deadline FROM chain WHERE NOT final AND (deadline IS NULL OR deadline < $1) "
    "ORDER BY deadline NULLS FIRST LIMIT $2"
)

_QUOTED_OR_MARK = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|--[^\n]*|\?")


def numbered(sql: str) -> str:
    """`?` placeholders as PostgreSQL's `$1`, `$2` …; question marks inside quotes and comments stay."""
    count = 0

    def number(found: re.Match[str]) -> str:
        nonlocal count
        if found.group() != "?":
            return found.group()
        count += 1
        return f"${count}"

    return _QUOTED_OR_MARK.sub(number, sql)
