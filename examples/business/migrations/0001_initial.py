"""Create admin_log_entry, auth_group, counter, customer, user, invoice, user_groups, event, line."""

import sqlalchemy as sa

from demijohn.migrations import kinds, op

revision = "0001_initial"
down_revision = None
# What the models said, as hashes: a database prints its defaults and checks in a form of its own.
texts = {
    "admin_log_entry": "",
    "auth_group": "",
    "counter": "",
    "customer": "",
    "event": "",
    "invoice": "",
    "invoice ck_invoice_state": "859e5865024d",
    "line": "",
    "user": "",
    "user_groups": "",
}


def upgrade() -> None:
    op.create_table(
        "admin_log_entry",
        sa.Column("id", kinds.BigKey(), nullable=False),
        sa.Column("at", kinds.DateTime(), nullable=False),
        sa.Column("user_key", sa.String(100), nullable=False),
        sa.Column("user_label", sa.String(200), nullable=False),
        sa.Column("action", sa.String(40), nullable=False),
        sa.Column("model", sa.String(100), nullable=False),
        sa.Column("object_key", sa.String(200), nullable=False),
        sa.Column("object_label", sa.String(200), nullable=False),
        sa.Column("token", sa.String(40), nullable=True),
        sa.Column("changes", kinds.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_admin_log_entry")),
        sa.UniqueConstraint("token", name=op.f("uq_admin_log_entry_token")),
    )
    op.create_index(op.f("ix_admin_log_entry_at"), "admin_log_entry", ["at"], unique=False)
    op.create_index(
        op.f("ix_admin_log_entry_model_object_key"), "admin_log_entry", ["model", "object_key"], unique=False
    )
    op.create_index(op.f("ix_admin_log_entry_user_key"), "admin_log_entry", ["user_key"], unique=False)
    op.create_table(
        "auth_group",
        sa.Column("id", kinds.BigKey(), nullable=False),
        sa.Column("name", sa.String(150), nullable=False),
        sa.Column("permissions", kinds.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_auth_group")),
        sa.UniqueConstraint("name", name=op.f("uq_auth_group_name")),
    )
    op.create_table(
        "counter",
        sa.Column("id", kinds.BigKey(), nullable=False),
        sa.Column("year", sa.Integer(), nullable=False),
        sa.Column("last", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_counter")),
        sa.UniqueConstraint("year", name=op.f("uq_counter_year")),
    )
    op.create_table(
        "customer",
        sa.Column("id", kinds.BigKey(), nullable=False),
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("email", sa.String(200), nullable=False),
        sa.Column("street", sa.String(120), nullable=False),
        sa.Column("city", sa.String(120), nullable=False),
        sa.Column("language", sa.String(5), nullable=False),
        sa.Column("created_at", kinds.DateTime(), nullable=False),
        sa.Column("updated_at", kinds.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_customer")),
    )
    op.create_table(
        "user",
        sa.Column("id", kinds.BigKey(), nullable=False),
        sa.Column("display_name", sa.String(60), nullable=False),
        sa.Column("email", sa.String(254), nullable=False),
        sa.Column("password_hash", sa.String(255), nullable=False),
        sa.Column("session_stamp", sa.String(32), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("is_staff", sa.Boolean(), nullable=False),
        sa.Column("is_superuser", sa.Boolean(), nullable=False),
        sa.Column("email_verified_at", kinds.DateTime(), nullable=True),
        sa.Column("created_at", kinds.DateTime(), nullable=False),
        sa.Column("last_login_at", kinds.DateTime(), nullable=True),
        sa.Column("permissions", kinds.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_user")),
        sa.UniqueConstraint("email", name=op.f("uq_user_email")),
    )
    op.create_table(
        "invoice",
        sa.Column("id", kinds.BigKey(), nullable=False),
        sa.Column("customer_id", kinds.BigKey(), nullable=False),
        sa.Column("title", sa.String(120), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("number", sa.String(20), nullable=True),
        sa.Column("issued_on", sa.Date(), nullable=True),
        sa.Column("due_on", sa.Date(), nullable=True),
        sa.Column("charged_net", kinds.Decimal(14, 2), nullable=False),
        sa.Column("charged", kinds.Decimal(14, 2), nullable=False),
        sa.Column("reminders", sa.Integer(), nullable=False),
        sa.Column("reminded_on", sa.Date(), nullable=True),
        sa.Column("created_at", kinds.DateTime(), nullable=False),
        sa.Column("updated_at", kinds.DateTime(), nullable=False),
        sa.CheckConstraint("state IN ('offer', 'issued', 'paid', 'cancelled')", name=op.f("ck_invoice_state")),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customer.id"], name=op.f("fk_invoice_customer_id"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invoice")),
        sa.UniqueConstraint("number", name=op.f("uq_invoice_number")),
    )
    op.create_index(op.f("ix_invoice_customer_id"), "invoice", ["customer_id"], unique=False)
    op.create_index(op.f("ix_invoice_issued_on"), "invoice", ["issued_on"], unique=False)
    op.create_table(
        "user_groups",
        sa.Column("user_id", kinds.BigKey(), autoincrement=False, nullable=False),
        sa.Column("auth_group_id", kinds.BigKey(), autoincrement=False, nullable=False),
        sa.ForeignKeyConstraint(
            ["auth_group_id"], ["auth_group.id"], name=op.f("fk_user_groups_auth_group_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name=op.f("fk_user_groups_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("user_id", "auth_group_id", name=op.f("pk_user_groups")),
    )
    op.create_index(op.f("ix_user_groups_auth_group_id"), "user_groups", ["auth_group_id"], unique=False)
    op.create_table(
        "event",
        sa.Column("id", kinds.BigKey(), nullable=False),
        sa.Column("what", sa.String(200), nullable=False),
        sa.Column("at", kinds.DateTime(), nullable=False),
        sa.Column("invoice_id", kinds.BigKey(), nullable=False),
        sa.Column("user_id", kinds.BigKey(), nullable=True),
        sa.ForeignKeyConstraint(["invoice_id"], ["invoice.id"], name=op.f("fk_event_invoice_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name=op.f("fk_event_user_id"), ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_event")),
    )
    op.create_index(op.f("ix_event_invoice_id"), "event", ["invoice_id"], unique=False)
    op.create_index(op.f("ix_event_user_id"), "event", ["user_id"], unique=False)
    op.create_table(
        "line",
        sa.Column("id", kinds.BigKey(), nullable=False),
        sa.Column("invoice_id", kinds.BigKey(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("text", sa.String(200), nullable=False),
        sa.Column("quantity", kinds.Decimal(10, 2), nullable=False),
        sa.Column("price", kinds.Decimal(12, 2), nullable=False),
        sa.Column("vat", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["invoice_id"], ["invoice.id"], name=op.f("fk_line_invoice_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_line")),
    )
    op.create_index(op.f("ix_line_invoice_id"), "line", ["invoice_id"], unique=False)


def downgrade() -> None:
    op.drop_table("line")
    op.drop_table("event")
    op.drop_table("user_groups")
    op.drop_table("invoice")
    op.drop_table("user")
    op.drop_table("customer")
    op.drop_table("counter")
    op.drop_table("auth_group")
    op.drop_table("admin_log_entry")
