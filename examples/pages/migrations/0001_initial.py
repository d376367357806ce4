"""Create admin_log_entry, auth_group, document, picture, user, revision, user_groups."""

import sqlalchemy as sa

from demijohn.migrations import kinds, op

revision = "0001_initial"
down_revision = None
# What the models said, as hashes: a database prints its defaults and checks in a form of its own.
texts = {
    "admin_log_entry": "",
    "auth_group": "",
    "document": "",
    "picture": "",
    "revision": "",
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
        "document",
        sa.Column("id", kinds.BigKey(), nullable=False),
        sa.Column("title", sa.String(120), nullable=False),
        sa.Column("slug", sa.String(60), nullable=False),
        sa.Column("body", kinds.LongText(), nullable=False),
        sa.Column("parent_id", kinds.BigKey(), nullable=True),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("in_menu", sa.Boolean(), nullable=False),
        sa.Column("published_at", kinds.DateTime(), nullable=True),
        sa.Column("created_at", kinds.DateTime(), nullable=False),
        sa.Column("updated_at", kinds.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["parent_id"], ["document.id"], name=op.f("fk_document_parent_id"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_document")),
        sa.UniqueConstraint("parent_id", "slug", name=op.f("uq_document_parent_id_slug")),
    )
    op.create_index(op.f("ix_document_parent_id"), "document", ["parent_id"], unique=False)
    op.create_table(
        "picture",
        sa.Column("id", kinds.BigKey(), nullable=False),
        sa.Column("name", sa.String(60), nullable=False),
        sa.Column("title", sa.String(120), nullable=False),
        sa.Column("created_at", kinds.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_picture")),
        sa.UniqueConstraint("name", name=op.f("uq_picture_name")),
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
        "revision",
        sa.Column("id", kinds.BigKey(), nullable=False),
        sa.Column("document_id", kinds.BigKey(), nullable=False),
        sa.Column("title", sa.String(120), nullable=False),
        sa.Column("body", kinds.LongText(), nullable=False),
        sa.Column("created_at", kinds.DateTime(), nullable=False),
        sa.Column("author_id", kinds.BigKey(), nullable=True),
        sa.ForeignKeyConstraint(["author_id"], ["user.id"], name=op.f("fk_revision_author_id"), ondelete="SET NULL"),
        sa.ForeignKeyConstraint(
            ["document_id"], ["document.id"], name=op.f("fk_revision_document_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_revision")),
    )
    op.create_index(op.f("ix_revision_author_id"), "revision", ["author_id"], unique=False)
    op.create_index(op.f("ix_revision_document_id"), "revision", ["document_id"], unique=False)
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


def downgrade() -> None:
    op.drop_table("user_groups")
    op.drop_table("revision")
    op.drop_table("user")
    op.drop_table("picture")
    op.drop_table("document")
    op.drop_table("auth_group")
    op.drop_table("admin_log_entry")
