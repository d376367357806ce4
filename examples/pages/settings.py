"""What differs between the places where the site runs."""

from pathlib import Path

from demijohn import Settings


class Site(Settings):
    database_url: str = "sqlite:///pages.db"
    uploads: str = str(Path(__file__).parent / "uploads")
