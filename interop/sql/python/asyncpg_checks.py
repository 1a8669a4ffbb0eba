"""asyncpg, which sends and receives binary values only, and prepares every statement."""

import asyncio
import datetime
import json
from decimal import Decimal

import asyncpg

from checks import each, equal
from rows import (
    BAD_VALUES, CHANNEL, CONDITIONS, DAY, ENDLESS, ERRORS, HEARD, MANY, MANY_ROWS, MOMENT, OUTPUT,
    OUTPUTS, PATIENCE, VALUES, change,
)


def run(use, **settings):
    """Runs a function with a connection to its end."""

    async def connected():
        connection = await asyncpg.connect(**settings)
        try:
            await use(connection)
        finally:
            await connection.close(timeout=10)

    asyncio.run(connected())


def each_run(cases, use):
    """Runs a function with a new connection and each case."""
    each(cases, lambda *case: run(lambda connection: use(connection, *case)))


async def fails(connection, code, query, *parameters):
    try:
        await connection.fetch(query, *parameters)
    except asyncpg.PostgresError as error:
        assert error.sqlstate == code, f"{query}: {error.sqlstate} {error}"
    else:
        raise AssertionError(f"{query} succeeds")


def check_parameters_of_each_type_come_back():
    async def comes_back(connection, ty, value):
        equal(await connection.fetchval(f"select $1::{ty}", value), value)

    each_run(VALUES, comes_back)


def check_null_parameters_of_each_type_come_back():
    async def comes_back(connection, ty):
        equal(await connection.fetchval(f"select $1::{ty}", None), None)

    each_run({(ty,) for ty, _ in VALUES}, comes_back)


def check_statements_tell_the_types_of_their_parameters():
    async def tells(connection, query, *types):
        statement = await connection.prepare(query)
        equal([parameter.name for parameter in statement.get_parameters()], list(types))

    each_run([
        ("select $1", "text"),
        ("select $1::int, $2::bytea, $3::timestamptz", "int4", "bytea", "timestamptz"),
        ("select 1 from state where key = $1 and value = $2", "text", "bytea"),
        ("select 1 from state where key = any($1)", "text[]"),
        ("select 1 from sys_invocation where created_at < $1 limit $2", "timestamptz", "int8"),
        ("select 1 from sys_journal where index = $1 and completed = $2", "int8", "bool"),
    ], tells)


def check_statements_tell_the_types_of_their_columns():
    async def tells(connection):
        statement = await connection.prepare(
            "select id, created_at, completion_retention, journal_size, partition_key"
            " from sys_invocation where id = $1"
        )
        equal([(column.name, column.type.name) for column in statement.get_attributes()], [
            ("id", "text"), ("created_at", "timestamptz"), ("completion_retention", "interval"),
            ("journal_size", "int8"), ("partition_key", "numeric"),
        ])

    run(tells)


def check_settings_are_asked_when_a_statement_is_executed():
    async def asks(connection):
        ask = await connection.prepare("select current_setting($1)")
        change = await connection.prepare("select set_config($1, $2, $3)")
        equal(await ask.fetchval("statement_timeout"), "0")
        equal(await change.fetchval("statement_timeout", "5000", False), "5s")
        equal(await ask.fetchval("statement_timeout"), "5s")
        async with connection.transaction():
            await connection.execute("set local statement_timeout = '1min'")
            equal(await ask.fetchval("statement_timeout"), "1min")
        equal(await ask.fetchval("statement_timeout"), "5s")

    run(asks)


def check_parameters_are_compared_with_columns_of_each_type():
    async def is_compared(connection, expected, condition, value):
        equal(await connection.fetchval(f"select count(*) from {condition}", value), expected)

    each_run(CONDITIONS, is_compared)


def check_results_have_the_types_of_their_columns():
    async def has_types(connection):
        row = await connection.fetchrow(
            "select *, now() as now from sys_invocation where idempotency_key = 'failed'"
        )
        assert row["id"].startswith("inv_"), row
        assert MOMENT < row["created_at"] <= row["completed_at"] <= row["now"], row
        equal(row["created_at"].utcoffset(), DAY * 0)
        assert 0 <= row["partition_key"] < 2**64, row
        equal(
            [row[name] for name in ("target_service_key", "completion_retention", "journal_size",
                                    "retry_count", "completion_failure")],
            [None, DAY, 2, None, "[409] refused"],
        )
        row = await connection.fetchrow("select * from sys_service where name = 'List'")
        equal([row["public"], row["handlers"], row["alias"]], [True, ["append", "all"], None])
        row = await connection.fetchrow("select * from state where key = 'number'")
        equal(row["value"], b"9007199254740993")
        equal(row["value_length"], Decimal(16))

    run(has_types)

    async def has_value(connection, key, value):
        equal(await connection.fetchval(OUTPUT, key), value)

    each_run(OUTPUTS, has_value)


def check_prepared_statements_are_reused_with_other_parameters():
    async def is_reused(connection):
        statement = await connection.prepare(
            "select count(*) from state where service_key = $1 and key = $2"
        )
        for service_key, key, expected in [
            ("kept", "word", 1), ("kept", "no", 0), (None, None, 0), ("held", "held", 1),
        ]:
            equal(await statement.fetchval(service_key, key), expected)

    run(is_reused)


def check_cursors_fetch_many_rows_in_parts():
    async def fetches(connection):
        async with connection.transaction():
            ids = [row["id"] async for row in connection.cursor(MANY, prefetch=70)]
            equal(len(set(ids)), MANY_ROWS)
            cursor = await connection.cursor(MANY + " and status = $1", "completed")
            equal([len(await cursor.fetch(7)), len(await cursor.fetch(2000))], [7, MANY_ROWS - 7])
            equal(await cursor.fetchrow(), None)

    run(fetches)


def check_a_time_limit_cancels_a_query():
    async def cancels(connection):
        try:
            await connection.fetch(ENDLESS, timeout=1)
            raise AssertionError("the endless query has ended")
        except asyncio.TimeoutError:
            pass
        equal(await connection.fetchval("select 1"), 1)

    run(cancels)


def check_errors_have_the_right_sqlstate():
    each_run(ERRORS, fails)

    # The driver itself refuses values of other types, so these are cast by the server.
    async def is_bad(connection, code, condition, value):
        condition = condition.replace("$1", f"'{value}'")
        await fails(connection, code, f"select count(*) from {condition}")

    each_run(BAD_VALUES, is_bad)


def check_many_parameters_at_once():
    async def runs(connection):
        await connection.executemany("select $1::int", [(number,) for number in range(50)])
        equal(await connection.fetchmany("select $1::int", [(1,), (2,)]), [(1,), (2,)])

    run(runs)


def check_a_failed_transaction_is_rolled_back():
    async def rolls_back(connection):
        transaction = connection.transaction(isolation="repeatable_read", readonly=True)
        await transaction.start()
        await fails(connection, "42P01", "select 1 from nowhere")
        await fails(connection, "25P02", "select 1")
        await transaction.rollback()
        assert not connection.is_in_transaction()
        async with connection.transaction(isolation="serializable", readonly=True, deferrable=True):
            equal(await connection.fetchval("select 1"), 1)

    run(rolls_back)


def check_a_pool_resets_its_connections():
    async def resets():
        async with asyncpg.create_pool(min_size=1, max_size=1) as pool:
            for _ in range(3):
                async with pool.acquire() as connection:
                    await connection.execute("set application_name = 'of one user'")
                    equal(await connection.fetchval("select 1"), 1)
                async with pool.acquire() as connection:
                    equal(await connection.fetchval("show application_name"), "")

    asyncio.run(resets())


def check_connection_parameters():
    async def has_parameters(connection):
        equal(await connection.fetchval("show application_name"), "a program")
        equal(await connection.fetchval("select current_user"), "someone else")
        equal(connection.get_settings().server_encoding, "UTF8")
        equal(connection.get_server_version().major, 15)

    run(has_parameters, user="someone else", database="whatever",
        server_settings={"application_name": "a program", "search_path": "public"})


def check_types_are_looked_up():
    async def looks_up(connection):
        # Codecs are set by a type's name, which the driver looks up in the catalogue.
        await connection.set_type_codec(
            "text", schema="pg_catalog", encoder=str.upper, decoder=str.lower
        )
        equal(await connection.fetchval("select $1::text || 'C'", "a"), "ac")
        await connection.reload_schema_state()
        row = await connection.fetchrow("select oid, typname from pg_type where typname = 'int4'")
        equal(tuple(row), (23, "int4"))

    run(looks_up)


def check_changes_are_heard():
    async def hears(connection):
        heard = asyncio.Queue()
        listener = lambda _, pid, channel, payload: heard.put_nowait((channel, json.loads(payload)))
        await connection.add_listener(CHANNEL, listener)
        await asyncio.to_thread(change)
        equal(await asyncio.wait_for(heard.get(), PATIENCE), (CHANNEL, HEARD))
        await connection.remove_listener(CHANNEL, listener)
        equal(await connection.fetchval("select 1"), 1)

    run(hears)
