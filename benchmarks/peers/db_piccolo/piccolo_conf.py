"""Piccolo's engine, which it looks for in this file."""

import os
from urllib.parse import urlsplit

from piccolo.engine.postgres import PostgresEngine
from piccolo.engine.sqlite import SQLiteEngine

URL = os.environ["BENCH_URL"]
parts = urlsplit(URL)
DB = (
    SQLiteEngine(path=URL.removeprefix("sqlite:///"))
    if URL.startswith("sqlite")
    else PostgresEngine(
        config={
            "host": parts.hostname,
            "port": parts.port,
            "user": parts.username,
            "password": parts.password,
            "database": parts.path.lstrip("/"),
        }
    )
)
