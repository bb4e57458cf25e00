"""Databases for the service, one for each test or module, and queries on them."""

import contextlib
import sqlite3
import uuid

import psycopg2


class Sqlite:
    kind = "sqlite"

    def __init__(self, folder):
        self.path = folder / f"{uuid.uuid4().hex}.db"
        self.url = f"sqlite:{self.path}"

    def query(self, sql):
        """Rows of a SELECT. Only while no service runs, which locks the file."""
        with contextlib.closing(sqlite3.connect(self.path)) as connection:
            return connection.execute(sql).fetchall()

    def execute(self, sql):
        """Executes SQL as a person would; also while a service runs."""
        with contextlib.closing(sqlite3.connect(self.path, timeout=30)) as connection:
            connection.execute(sql)
            connection.commit()


# Options of a database without a text encoding.
ANY_BYTES = "ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"


class Postgres:
    kind = "postgres"

    def __init__(self, url):
        self.url = url

    @staticmethod
    def new_schema(server_url):
        """Takes a few milliseconds; a new database takes a hundred, and 300 files."""
        name = f"inventory_{uuid.uuid4().hex}"
        _execute(server_url, f"CREATE SCHEMA {name}")
        return Postgres(f"{server_url}?options=-csearch_path%3D{name}")

    @staticmethod
    def new_database(server_url, options=""):
        name = f"inventory_{uuid.uuid4().hex}"
        _execute(server_url, f"CREATE DATABASE {name} {options}")
        return Postgres(server_url.rsplit("/", 1)[0] + "/" + name)

    def query(self, sql):
        """Rows of a SELECT."""
        with contextlib.closing(psycopg2.connect(self.url)) as connection:
            with connection.cursor() as cursor:
                cursor.execute(sql)
                return cursor.fetchall()

    def execute(self, sql):
        _execute(self.url, sql)


def _execute(url, sql):
    with contextlib.closing(psycopg2.connect(url)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(sql)


def stock(database):
    """Quantity on hand by product id."""
    return dict(database.query("SELECT id, quantity FROM inventory"))
