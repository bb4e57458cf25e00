"""Databases for the service, one a test or a module, and a look into them from outside."""

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
        """Rows of a SELECT. While no service runs: it has the file to itself."""
        with contextlib.closing(sqlite3.connect(self.path)) as connection:
            return connection.execute(sql).fetchall()


class Postgres:
    kind = "postgres"

    def __init__(self, server_url):
        self.name = f"inventory_{uuid.uuid4().hex}"
        self.url = server_url.rsplit("/", 1)[0] + "/" + self.name
        _execute(server_url, f"CREATE DATABASE {self.name}")

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
