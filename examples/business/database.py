"""The database: the embedded one, or that of `DATABASE_URL`."""

import os

from demijohn.db import Database

db = Database(os.environ.get("DATABASE_URL", "sqlite:///business.db"))
