"""psycopg 3, which binds parameters on the server and prepares statements by itself."""

import datetime
import json
import threading
from decimal import Decimal

import psycopg
from psycopg import RawCursor, errors
from psycopg.pq import TransactionStatus
from psycopg.types import TypeInfo

from checks import each, equal
from rows import (
    BAD_VALUES, BYTES, CHANNEL, CONDITIONS, DAY, ENDLESS, ERRORS, HEARD, MANY, MANY_ROWS, MOMENT,
    OUTPUT, OUTPUTS, PATIENCE, VALUES, change,
)


def connect(**settings):
    """A connection whose queries have parameters as PostgreSQL writes them: $1."""
    return psycopg.connect(autocommit=True, cursor_factory=RawCursor, **settings)


def one(connection, query, parameters=None, **settings):
    """The only value of the only row."""
    rows = connection.execute(query, parameters, **settings).fetchall()
    assert len(rows) == 1 and len(rows[0]) == 1, rows
    return rows[0][0]


def fails(connection, code, query, parameters=None):
    try:
        connection.execute(query, parameters)
    except psycopg.Error as error:
        assert error.sqlstate == code, f"{query}: {error.sqlstate} {error}"
    else:
        raise AssertionError(f"{query} succeeds")


def check_parameters_of_each_type_come_back():
    with psycopg.connect(autocommit=True) as connection:

        def comes_back(placeholder, binary, ty, value):
            equal(one(connection, f"select {placeholder}::{ty}", [value], binary=binary), value)

        formats = [(placeholder, binary) for placeholder in ("%t", "%b") for binary in (False, True)]
        each([(*format, *value) for format in formats for value in VALUES], comes_back)


def check_numbers_of_any_size_keep_their_digits():
    with psycopg.connect(autocommit=True) as connection:
        large = [10**19, 2**63, Decimal("-9223372036854775808.5"), Decimal("1E-10"), 10**27]
        for placeholder in ["%s", "%b", "%t"]:
            for value in large:
                text = one(connection, f"select {placeholder}::numeric::text", [Decimal(value)])
                equal(Decimal(text), Decimal(value))
        # The hash of a partition is larger than many clients' numbers.
        found = "select partition_key, id from sys_invocation limit 20"
        for key, id in connection.execute(found).fetchall():
            again = "select id from sys_invocation where partition_key = %s and id = %s"
            equal(one(connection, again, [key, id]), id)
        for code, value in [("22003", Decimal("0.12345678901")), ("22003", 10**28), ("22003", "NaN")]:
            fails(connection, code, "select %s::numeric", [Decimal(value)])


def check_null_parameters_of_each_type_come_back():
    with connect() as connection:
        each({(ty,) for ty, _ in VALUES},
             lambda ty: equal(one(connection, f"select $1::{ty}", [None]), None))
        row = connection.execute("select $1::text, $2::text, $3::text", [None, "b", None]).fetchone()
        equal(row, (None, "b", None))


def check_a_parameter_alone_has_the_type_of_its_value():
    values = [5, 2**40, True, 1.5, MOMENT, BYTES, "grüße", Decimal("12.5"), None]
    with connect() as connection:
        each([(value, binary) for value in values for binary in (False, True)],
             lambda value, binary: equal(one(connection, "select $1", [value], binary=binary), value))


def check_parameters_are_compared_with_columns_of_each_type():
    with connect() as connection:
        each(CONDITIONS, lambda expected, condition, value: equal(
            one(connection, f"select count(*) from {condition}", [value]), expected))
        each([(1, 16.5, "<"), (0, 16.5, "=")], lambda expected, value, operator: equal(
            one(connection, "select count(*) from state where key = 'number'"
                f" and value_length {operator} $1", [value]), expected))


def check_results_have_the_types_of_their_columns():
    def has_types(binary):
        with connect() as connection:
            cursor = connection.cursor(binary=binary)
            cursor.execute(
                "select id, target_service_key, created_at, completed_at, completion_retention,"
                " journal_size, retry_count, partition_key, completion_failure"
                " from sys_invocation where idempotency_key = 'failed'"
            )
            types = connection.adapters.types
            equal([types[column.type_code].name for column in cursor.description],
                  ["text", "text", "timestamptz", "timestamptz", "interval", "int8", "numeric",
                   "numeric", "text"])
            (row,) = cursor.fetchall()
            id, key, created, completed, retention, size, retries, partition, failure = row
            assert id.startswith("inv_"), id
            assert MOMENT < created <= completed and created.utcoffset() == DAY * 0, row
            assert isinstance(partition, Decimal) and 0 <= partition < 2**64, partition
            equal([key, retention, size, retries, failure], [None, DAY, 2, None, "[409] refused"])
            each(OUTPUTS, lambda key, value: equal(
                one(connection, OUTPUT, [key], binary=binary), value))
            cursor.execute("select public, handlers from sys_service where name = 'List'")
            equal(cursor.fetchall(), [(True, ["append", "all"])])
            cursor.execute("select value_json ->> 'status', value from state where key = 'order'")
            equal(cursor.fetchall(), [("CREATED", b'{"lines":[1,2],"status":"CREATED"}')])
            equal(one(connection, "select now()", binary=binary).utcoffset(), DAY * 0)

    each([(False,), (True,)], has_types)


def check_columns_of_the_same_name_are_both_there():
    def has_columns(query, names, row):
        with connect() as connection:
            cursor = connection.execute(query)
            equal([column.name for column in cursor.description], names)
            equal(cursor.fetchone(), row)

    each([
        ("select 1, 2", ["?column?", "?column?"], (1, 2)),
        ("select 'a' as name, 'b' as name", ["name", "name"], ("a", "b")),
        ("select count(*), count(*) from sys_service", ["count", "count"], (5, 5)),
        ("select a.name, b.name from sys_service a, sys_service b where a.name = 'Lab'"
         " and b.name = 'Flow'", ["name", "name"], ("Lab", "Flow")),
        ("select 'a'::text, '5'::int", ["text", "int4"], ("a", 5)),
    ], has_columns)


def check_prepared_statements_are_reused_with_other_parameters():
    with connect() as connection:
        query = "select count(*) from state where service_key = $1 and key = $2"
        each([("kept", "word", 1), ("kept", "number", 1), ("kept", "no", 0), (None, None, 0),
              ("held", "held", 1)],
             lambda service_key, key, expected: equal(
                 one(connection, query, [service_key, key], prepare=True), expected))
        # The same text with a parameter of another type is another statement.
        query = f"select count(*) from ({MANY}) it where 10 < $1"
        each([(9, 0), (11, MANY_ROWS), (2**40, MANY_ROWS), (10.5, MANY_ROWS)],
             lambda value, expected: equal(
                 one(connection, query, [value], prepare=True), expected))
        connection.execute("deallocate all")
        equal(one(connection, "select 1"), 1)


def check_named_cursors_fetch_many_rows_in_parts():
    with psycopg.connect() as connection:
        with connection.cursor(name="rows") as cursor:
            cursor.itersize = 100
            cursor.execute(MANY)
            equal(len(set(cursor)), MANY_ROWS)
        with connection.cursor(name="parts") as cursor:
            cursor.execute(MANY + " and status = %s", ["completed"])
            parts = [len(cursor.fetchmany(7)), len([cursor.fetchone()]), len(cursor.fetchall())]
            equal(parts, [7, 1, MANY_ROWS - 8])
            equal(cursor.fetchone(), None)
        with connection.cursor(name="bytes", binary=True) as cursor:
            cursor.execute("select value from state where key = 'number'")
            equal(cursor.fetchall(), [(b"9007199254740993",)])


def check_rows_are_streamed():
    with connect() as connection:
        equal(len(set(connection.cursor().stream(MANY))), MANY_ROWS)
        # The rest of the rows is thrown away, and the connection goes on.
        for _ in connection.cursor().stream(MANY):
            break
        equal(one(connection, "select 1"), 1)


def check_cancelling_from_another_thread():
    with connect() as connection:
        over = threading.Event()

        def cancel():
            # The query may not have begun when it is cancelled for the first time.
            while not over.wait(0.01):
                connection.cancel_safe()

        thread = threading.Thread(target=cancel)
        thread.start()
        try:
            fails(connection, "57014", ENDLESS)
        finally:
            over.set()
            thread.join()
        equal(one(connection, "select 1"), 1)


def check_errors_have_the_right_sqlstate():
    with connect() as connection:
        # Without parameters as one message, and with none as a prepared statement.
        each([(code, query, parameters) for code, query in ERRORS for parameters in (None, [])],
             lambda code, query, parameters: fails(connection, code, query, parameters))
        each(BAD_VALUES, lambda code, condition, value: fails(
            connection, code, f"select count(*) from {condition}", [value]))
        equal(one(connection, "select 1"), 1)


def check_pipelines():
    with connect() as connection:
        with connection.pipeline():
            cursors = [connection.execute("select $1::int", [number]) for number in range(50)]
            equal([cursor.fetchone() for cursor in cursors], [(number,) for number in range(50)])
        cursor = connection.cursor()
        cursor.executemany("select $1::int", [(1,), (2,), (3,)], returning=True)
        results = [cursor.fetchone()]
        while cursor.nextset():
            results.append(cursor.fetchone())
        equal(results, [(1,), (2,), (3,)])


def check_a_failure_ends_its_pipeline_but_not_the_connection():
    with connect() as connection:
        try:
            with connection.pipeline() as pipeline:
                before = connection.execute("select 1")
                failing = connection.execute("select 1 from nowhere")
                after = connection.execute("select 2")
                pipeline.sync()
            raise AssertionError("the pipeline succeeds")
        except errors.UndefinedTable:
            pass
        equal(before.fetchone(), (1,))
        equal([failing.rowcount, after.rowcount], [-1, -1])
        equal(one(connection, "select 1"), 1)


def check_several_statements_in_one_message():
    with connect() as connection:
        cursor = connection.execute("select 1; select 'a', 'b' as b; show timezone")
        results = [cursor.fetchall()]
        while cursor.nextset():
            results.append(cursor.fetchall())
        equal(results[:2], [[(1,)], [("a", "b")]])
        equal(len(results), 3)
        fails(connection, "42P01", "select 1; select 1 from nowhere; select 2")
        equal(one(connection, "select 1"), 1)


def check_a_failed_transaction_is_rolled_back():
    with psycopg.connect() as connection:
        status = lambda: connection.info.transaction_status
        equal(status(), TransactionStatus.IDLE)
        connection.execute("select 1")
        equal(status(), TransactionStatus.INTRANS)
        fails(connection, "42P01", "select 1 from nowhere")
        equal(status(), TransactionStatus.INERROR)
        fails(connection, "25P02", "select 1")
        fails(connection, "25P02", "select %s", [1])
        connection.rollback()
        equal(status(), TransactionStatus.IDLE)
        equal(one(connection, "select 1"), 1)
        connection.commit()
        equal(status(), TransactionStatus.IDLE)


def check_transactions_of_each_kind_begin():
    def begins(isolation, read_only, deferrable):
        with psycopg.connect() as connection:
            connection.isolation_level = isolation
            connection.read_only = read_only
            connection.deferrable = deferrable
            with connection.transaction():
                equal(one(connection, "select 1"), 1)

    levels = [None, *psycopg.IsolationLevel]
    each([(level, read_only, deferrable) for level in levels for read_only in (None, True)
          for deferrable in (None, True)], begins)


def check_a_transaction_in_a_transaction_fails_alone():
    with connect() as connection, connection.transaction():
        equal(one(connection, "select 1"), 1)
        try:
            with connection.transaction():
                connection.execute("select 1 from nowhere")
        except errors.UndefinedTable:
            pass
        with connection.transaction():
            equal(one(connection, "select 1"), 1)
        equal(one(connection, "select 1"), 1)


def check_connection_parameters():
    with connect(
        user="someone else",
        dbname="whatever",
        application_name="a program",
        options="-c extra_float_digits=2 -c search_path=public",
    ) as connection:
        each([
            ("show application_name", "a program"),
            ("select current_setting('application_name')", "a program"),
            ("show extra_float_digits", "2"),
            ("show search_path", "public"),
            ("select current_user", "someone else"),
            ("select session_user", "someone else"),
            # There is only one, whatever it is asked for as.
            ("select current_database()", "abide"),
            ("select current_schema()", "public"),
        ], lambda query, value: equal(one(connection, query), value))
        each([
            ("application_name", "a program"),
            ("server_encoding", "UTF8"),
            ("client_encoding", "UTF8"),
            ("integer_datetimes", "on"),
            ("standard_conforming_strings", "on"),
            ("default_transaction_read_only", "on"),
        ], lambda name, value: equal(connection.info.parameter_status(name), value))
        equal(connection.info.server_version // 10000, 15)


def check_types_are_looked_up_by_name():
    def is_found(name, *oids):
        with connect() as connection:
            found = TypeInfo.fetch(connection, name)
            equal(found and (found.oid, found.array_oid), oids or None)

    each([("text", 25, 1009), ("timestamptz", 1184, 1185), ("bytea", 17, 1001), ("hstore",)],
         is_found)


def check_changes_are_heard():
    with connect() as connection:
        connection.execute(f'listen "{CHANNEL}"')
        change()
        heard = list(connection.notifies(timeout=PATIENCE, stop_after=1))
        equal([(it.channel, json.loads(it.payload)) for it in heard], [(CHANNEL, HEARD)])
        connection.execute("unlisten *")
        equal(one(connection, "select 1"), 1)
