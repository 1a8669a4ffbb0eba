"""What all programs know: the rows that `e2e/suite/src/drivers/rows.rs` makes, and queries on them."""

import datetime
import json
import os
import urllib.request
from decimal import Decimal

MOMENT = datetime.datetime(2024, 2, 29, 12, 30, 15, 123456, tzinfo=datetime.timezone.utc)
DAY = datetime.timedelta(days=1)
BYTES = b"\x00\x01\xfe\xff"

# A value of each type that a column has.
VALUES = [
    ("text", "grüße"),
    ("text", ""),
    ("int", -5),
    ("bigint", 2**62),
    ("boolean", True),
    ("boolean", False),
    ("timestamptz", MOMENT),
    ("bytea", BYTES),
    ("bytea", b""),
    ("numeric", Decimal("12.5")),
    ("float8", 1.5),
    ("interval", DAY + datetime.timedelta(seconds=1)),
    ("text[]", ["a", "grüße", 'with "quotes", and {braces}']),
    ("bigint[]", [1, 2**62]),
]

# Conditions with a parameter, and how many rows they are true of.
CONDITIONS = [
    (5, "state where service_name = 'Cell' and service_key <> $1", ""),
    (1, "state where service_name = 'Cell' and value = $1", b"9007199254740993"),
    (0, "state where service_name = 'Cell' and value = $1", b""),
    (5, "state where service_name = any($1)", ["Cell", "Nobody"]),
    (0, "state where service_name = any($1)", []),
    (1, "state where service_name = 'Cell' and value_length = $1", 16),
    (0, "state where service_name = 'Cell' and value_length = $1", -1),
    (1, "state where service_name = 'Cell' and value_length = $1", Decimal(16)),
    (0, "state where service_name = 'Cell' and value_length = $1", Decimal("16.5")),
    (2, "sys_invocation where idempotency_key = any($1)", ["bytes", "empty"]),
    (0, "sys_invocation where created_at < $1", MOMENT),
    (1, "sys_invocation where idempotency_key = 'bytes' and created_at > $1", MOMENT),
    (1, "sys_invocation where idempotency_key = 'bytes' and journal_size = $1", 2),
    (0, "sys_invocation where idempotency_key = 'bytes' and journal_size = $1", 2**40),
    (1, "sys_invocation where idempotency_key = 'bytes' and journal_size = any($1)", [1, 2]),
    (1, "sys_invocation where idempotency_key = 'bytes' and journal_bytes < $1", 2**62),
    (1, "sys_invocation where idempotency_key = 'bytes' and completion_retention = $1", DAY),
    (4, "sys_service where public = $1", True),
    (0, "sys_service where public = $1", None),
    (5, "sys_service where $1::text is null", None),
    (1, "sys_service where name like $1", "C%"),
    (1, "sys_invocation where status = $1", "scheduled"),
    (1, "sys_invocation where status = $1", "suspended"),
    (1, "(select id from sys_invocation where target_service_key = 'many' limit $1) it", 1),
]

# More rows than a driver fetches at once by itself.
MANY = "select id from sys_invocation where target_service_key = 'many'"
MANY_ROWS = 1000

OUTPUT = (
    "select value from sys_journal j join sys_invocation i on i.id = j.id"
    " where entry_type = 'Command: Output' and idempotency_key = $1"
)
OUTPUTS = [("bytes", BYTES), ("empty", b""), ("failed", None)]

# A query that does not end before it is cancelled.
ENDLESS = (
    "select count(*) from generate_series(1, 1000000) a, generate_series(1, 1000000) b,"
    " generate_series(1, 1000) c"
)

# The errors that a program can tell apart by their SQLSTATE.
ERRORS = [
    ("42601", "selec 1"),
    ("42601", "select 1 from"),
    ("42P01", "select 1 from nowhere"),
    ("42703", "select nothing from state"),
    ("42703", "select id from sys_invocation where nothing = 1"),
    ("42883", "select nothing(1)"),
    ("42702", "select name from sys_service a, sys_service b"),
    ("22P02", "select 'x'::int"),
    ("22P02", "select 'x'::boolean"),
    ("22012", "select 1 / 0"),
    ("22023", "set client_encoding = 'latin1'"),
    ("25006", "insert into state (key) values ('a')"),
    ("25006", "update state set key = 'a'"),
    ("25006", "delete from state"),
    ("25006", "truncate state"),
    ("25006", "create table a (b int)"),
    ("25006", "drop table state"),
    ("25006", "alter table state add column a int"),
    ("25P01", "savepoint a"),
    ("22023", "listen a"),
    ("25006", "notify a"),
    ("42704", "show nothing"),
]
# Values that a parameter cannot have: SQLSTATE, condition and value as text.
BAD_VALUES = [
    ("22007", "sys_invocation where created_at < $1", "yesterday at noon"),
    ("22P02", "sys_journal where index = $1", "x"),
    ("22P02", "sys_service where public = $1", "perhaps"),
    ("22P02", "state where value_length = $1", "x"),
]

# A channel, and what is heard on it after `change`.
CHANNEL = "state:Cell/listened"
HEARD = {"service": "Cell", "key": "listened", "name": "a"}
# How long to wait for it, in seconds.
PATIENCE = 30


def change():
    """Changes the state that the channel is about."""
    call = urllib.request.Request(
        os.environ["INGRESS"] + "/Cell/listened/set",
        data=json.dumps({"k": "a", "v": 1}).encode(),
        headers={"content-type": "application/json"},
    )
    urllib.request.urlopen(call).close()
