"""The difference between models and a database."""

from dataclasses import dataclass, field

from alembic.operations import ops
from alembic.runtime.migration import MigrationContext

__all__ = ["Changes"]


@dataclass(slots=True)
class Changes:
    """The difference, as operations of Alembic, and the texts to note in the file.

    Attributes:
        context: Alembic's context, for rendering.
        operations: What to do.
        texts: What the models say now, where it differs from what they said: see `History.texts`.
        before, after: SQL that comes before and after the operations.
    """

    context: MigrationContext
    operations: list[ops.MigrateOperation]
    texts: dict[str, str | None]
    before: list[str] = field(default_factory=list)
    after: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.operations or self.before or self.after or self.texts)
