"""Runs all checks against the server that PGHOST and PGPORT name."""

import sys

import asyncpg_checks
import completion_checks
import psycopg_checks
import sqlalchemy_checks
from checks import run

MODULES = [psycopg_checks, asyncpg_checks, sqlalchemy_checks, completion_checks]

sys.exit(1 if sum(map(run, MODULES)) else 0)
