"""Two columns with one value, while old code writes the one and new code the other: triggers that copy both ways."""

from collections.abc import Callable

__all__ = ["Mirror"]


class Mirror:
    """The triggers that keep a column and its new name the same.

    Args:
        family: `postgresql`, `mysql` or `mariadb`.
        table: The table.
        old, new: The columns.
        quote: Quotes a name.
    """

    def __init__(self, family: str, table: str, old: str, new: str, *, quote: Callable[[str], str]) -> None:
        self.family = family
        self.table = quote(table)
        self.old = quote(old)
        self.new = quote(new)
        self.name = f"mirror_{table}_{new}"[:55]

    def create(self) -> list[str]:
        """Return the statements that begin it."""
        old, new = self.old, self.new
        if self.family == "postgresql":
            function = (
                f"CREATE FUNCTION {self.name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
                "IF TG_OP = 'INSERT' THEN "
                f"IF NEW.{new} IS NULL THEN NEW.{new} := NEW.{old}; ELSE NEW.{old} := NEW.{new}; END IF; "
                f"ELSIF NEW.{new} IS DISTINCT FROM OLD.{new} THEN NEW.{old} := NEW.{new}; "
                f"ELSE NEW.{new} := NEW.{old}; END IF; RETURN NEW; END $$"
            )
            trigger = (
                f"CREATE TRIGGER {self.name} BEFORE INSERT OR UPDATE ON {self.table} FOR EACH ROW "
                f"EXECUTE FUNCTION {self.name}()"
            )
            return [function, trigger]
        insert = (
            f"CREATE TRIGGER {self.name}_insert BEFORE INSERT ON {self.table} FOR EACH ROW "
            f"IF NEW.{new} IS NULL THEN SET NEW.{new} = NEW.{old}; ELSE SET NEW.{old} = NEW.{new}; END IF"
        )
        condition = f"NOT (BINARY NEW.{new} <=> BINARY OLD.{new})"
        changed = (
            f"CREATE TRIGGER {self.name}_update BEFORE UPDATE ON {self.table} FOR EACH ROW "  # noqa: S608 - quoted
            f"IF {condition} THEN SET NEW.{old} = NEW.{new}; "
            f"ELSE SET NEW.{new} = NEW.{old}; END IF"
        )
        return [insert, changed]

    def drop(self) -> list[str]:
        """Return the statements that end it."""
        if self.family == "postgresql":
            return [f"DROP TRIGGER {self.name} ON {self.table}", f"DROP FUNCTION {self.name}()"]
        return [f"DROP TRIGGER {self.name}_insert", f"DROP TRIGGER {self.name}_update"]
