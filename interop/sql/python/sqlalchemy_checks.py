"""SQLAlchemy on psycopg, whose inspector reads the catalogue as tools do."""

import os

from sqlalchemy import (
    MetaData, Table, bindparam, create_engine, func, inspect, literal, select, text, types,
)
from sqlalchemy.dialects import postgresql

from checks import each, equal
from rows import BYTES, DAY, MANY_ROWS, MOMENT

TABLES = {"state", "sys_invocation", "sys_journal", "sys_service", "sys_wait"}


def engine():
    address = f"{os.environ['PGHOST']}:{os.environ['PGPORT']}"
    return create_engine(f"postgresql+psycopg://anyone@{address}/anything")


def check_schemas_and_tables_are_listed():
    inspector = inspect(engine())
    names = inspector.get_table_names
    each([
        (lambda: "public" in inspector.get_schema_names(), True),
        (lambda: inspector.default_schema_name, "public"),
        (lambda: TABLES - set(names()), set()),
        (lambda: TABLES - set(names(schema="public")), set()),
        (lambda: inspector.get_view_names(), ["sys_usage"]),
        (lambda: inspector.get_sequence_names(), []),
        (lambda: inspector.has_table("sys_invocation"), True),
        (lambda: inspector.has_table("nowhere"), False),
    ], lambda actual, expected: equal(actual(), expected))


def check_columns_are_described():
    inspector = inspect(engine())

    def is_described(table, column, ty):
        columns = {column["name"]: column for column in inspector.get_columns(table)}
        assert isinstance(columns[column]["type"], ty), columns[column]

    each([
        ("sys_invocation", "target_service_name", types.String),
        ("sys_invocation", "created_at", types.DateTime),
        ("sys_invocation", "completion_retention", postgresql.INTERVAL),
        ("sys_invocation", "suspended_waiting_for_signals", types.ARRAY),
        ("sys_invocation", "journal_size", types.BigInteger),
        ("sys_invocation", "partition_key", types.Numeric),
        ("state", "value", types.LargeBinary),
        ("sys_service", "public", types.Boolean),
        ("sys_service", "handlers", types.ARRAY),
    ], is_described)
    columns = {column["name"]: column for column in inspector.get_columns("sys_invocation")}
    equal(columns["created_at"]["type"].timezone, True)
    equal(columns["id"]["comment"], "Id of the invocation.")


def check_there_are_no_keys_and_indexes():
    inspector = inspect(engine())
    each([
        (lambda: inspector.get_pk_constraint("sys_invocation")["constrained_columns"], []),
        (lambda: inspector.get_foreign_keys("sys_invocation"), []),
        (lambda: inspector.get_indexes("sys_invocation"), []),
        (lambda: inspector.get_unique_constraints("sys_invocation"), []),
        (lambda: inspector.get_check_constraints("sys_invocation"), []),
        (lambda: inspector.get_table_comment("sys_journal")["text"],
         "Journals: a row for each entry."),
    ], lambda actual, expected: equal(actual(), expected))


def check_a_table_that_is_described_by_the_server_is_queried():
    table = Table("sys_invocation", MetaData(), autoload_with=engine())
    with engine().connect() as connection:
        of_key = select(table).where(table.c.idempotency_key == bindparam("key"))
        row = connection.execute(of_key, {"key": "failed"}).mappings().one()
        equal(row["completion_failure"], "[409] refused")
        equal(row["completion_retention"], DAY)
        assert row["created_at"] > MOMENT
        by_key = (
            select(table.c.target_service_key, func.count().label("rows"))
            .where(table.c.created_at > MOMENT, table.c.target_service_key.in_(["many", "no"]))
            .group_by(table.c.target_service_key)
        )
        equal([tuple(row) for row in connection.execute(by_key)], [("many", MANY_ROWS)])
        newest = select(table.c.id).order_by(table.c.created_at.desc()).limit(3).offset(1)
        equal(len(connection.execute(newest).all()), 3)


def check_values_in_queries():
    with engine().connect() as connection:
        query = select(literal(5), literal("a"), literal(True), literal(BYTES), literal(MOMENT))
        equal(tuple(connection.execute(query).one()), (5, "a", True, BYTES, MOMENT))


def check_rows_are_read_in_parts():
    with engine().connect().execution_options(stream_results=True) as connection:
        many = text("select id from sys_invocation where target_service_key = :key")
        parts = connection.execute(many, {"key": "many"}).partitions(50)
        equal([len(part) for part in parts], [50] * (MANY_ROWS // 50))
