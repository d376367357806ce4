"""SQLAlchemy dialects whose transactions begin at the first write, and SQLite without a thread hop for short reads."""
