"""Create the table of the guestbook."""

import sqlalchemy as sa

from demijohn.migrations import kinds, op

revision = "0001_entries"
down_revision = None
# What the models said, as hashes: a database prints its defaults and checks in a form of its own.
texts = {
    "guestbook_entry": "",
}


def upgrade() -> None:
    op.create_table(
        "guestbook_entry",
        sa.Column("id", kinds.BigKey(), nullable=False),
        sa.Column("name", sa.String(80), nullable=False),
        sa.Column("message", kinds.LongText(), nullable=False),
        sa.Column("approved", sa.Boolean(), nullable=False),
        sa.Column("written_at", kinds.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_guestbook_entry")),
    )


def downgrade() -> None:
    op.drop_table("guestbook_entry")
