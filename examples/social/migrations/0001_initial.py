"""Create admin_log_entry, auth_group, user, block, follow, post, user_groups, comment, like, notif...."""

import sqlalchemy as sa

from demijohn.migrations import kinds, op

revision = "0001_initial"
down_revision = None
# What the models said, as hashes: a database prints its defaults and checks in a form of its own.
texts = {
    "admin_log_entry": "",
    "auth_group": "",
    "block": "",
    "comment": "",
    "follow": "",
    "follow nobody_follows_themselves": "a4875e933f11",
    "like": "",
    "notification": "",
    "notification ck_notification_kind": "fccfceeb244f",
    "post": "",
    "report": "",
    "report ck_report_reason": "9180af5d1fe9",
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
        "user",
        sa.Column("id", kinds.BigKey(), nullable=False),
        sa.Column("handle", sa.String(20), nullable=False),
        sa.Column("display_name", sa.String(60), nullable=False),
        sa.Column("bio", sa.String(300), nullable=False),
        sa.Column("is_private", sa.Boolean(), nullable=False),
        sa.Column("avatar", sa.String(100), nullable=True),
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
        sa.UniqueConstraint("handle", name=op.f("uq_user_handle")),
    )
    op.create_table(
        "block",
        sa.Column("id", kinds.BigKey(), nullable=False),
        sa.Column("blocker_id", kinds.BigKey(), nullable=False),
        sa.Column("blocked_id", kinds.BigKey(), nullable=False),
        sa.ForeignKeyConstraint(["blocked_id"], ["user.id"], name=op.f("fk_block_blocked_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["blocker_id"], ["user.id"], name=op.f("fk_block_blocker_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_block")),
        sa.UniqueConstraint("blocker_id", "blocked_id", name=op.f("uq_block_blocker_id_blocked_id")),
    )
    op.create_index(op.f("ix_block_blocked_id"), "block", ["blocked_id"], unique=False)
    op.create_index(op.f("ix_block_blocker_id"), "block", ["blocker_id"], unique=False)
    op.create_table(
        "follow",
        sa.Column("id", kinds.BigKey(), nullable=False),
        sa.Column("follower_id", kinds.BigKey(), nullable=False),
        sa.Column("followed_id", kinds.BigKey(), nullable=False),
        sa.Column("accepted", sa.Boolean(), nullable=False),
        sa.CheckConstraint("follower_id <> followed_id", name="nobody_follows_themselves"),
        sa.ForeignKeyConstraint(["followed_id"], ["user.id"], name=op.f("fk_follow_followed_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["follower_id"], ["user.id"], name=op.f("fk_follow_follower_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_follow")),
        sa.UniqueConstraint("follower_id", "followed_id", name=op.f("uq_follow_follower_id_followed_id")),
    )
    op.create_index(op.f("ix_follow_followed_id"), "follow", ["followed_id"], unique=False)
    op.create_index(op.f("ix_follow_follower_id"), "follow", ["follower_id"], unique=False)
    op.create_table(
        "post",
        sa.Column("id", kinds.BigKey(), nullable=False),
        sa.Column("author_id", kinds.BigKey(), nullable=False),
        sa.Column("text", sa.String(500), nullable=False),
        sa.Column("image", sa.String(100), nullable=True),
        sa.Column("hidden", sa.Boolean(), nullable=False),
        sa.Column("created_at", kinds.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(["author_id"], ["user.id"], name=op.f("fk_post_author_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_post")),
    )
    op.create_index(op.f("ix_post_author_id"), "post", ["author_id"], unique=False)
    op.create_index(op.f("ix_post_created_at"), "post", ["created_at"], unique=False)
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
        "comment",
        sa.Column("id", kinds.BigKey(), nullable=False),
        sa.Column("text", sa.String(300), nullable=False),
        sa.Column("created_at", kinds.DateTime(), nullable=False),
        sa.Column("post_id", kinds.BigKey(), nullable=False),
        sa.Column("author_id", kinds.BigKey(), nullable=False),
        sa.ForeignKeyConstraint(["author_id"], ["user.id"], name=op.f("fk_comment_author_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["post_id"], ["post.id"], name=op.f("fk_comment_post_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_comment")),
    )
    op.create_index(op.f("ix_comment_author_id"), "comment", ["author_id"], unique=False)
    op.create_index(op.f("ix_comment_post_id"), "comment", ["post_id"], unique=False)
    op.create_table(
        "like",
        sa.Column("id", kinds.BigKey(), nullable=False),
        sa.Column("user_id", kinds.BigKey(), nullable=False),
        sa.Column("post_id", kinds.BigKey(), nullable=False),
        sa.ForeignKeyConstraint(["post_id"], ["post.id"], name=op.f("fk_like_post_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name=op.f("fk_like_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_like")),
        sa.UniqueConstraint("user_id", "post_id", name=op.f("uq_like_user_id_post_id")),
    )
    op.create_index(op.f("ix_like_post_id"), "like", ["post_id"], unique=False)
    op.create_index(op.f("ix_like_user_id"), "like", ["user_id"], unique=False)
    op.create_table(
        "notification",
        sa.Column("id", kinds.BigKey(), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("read_at", kinds.DateTime(), nullable=True),
        sa.Column("created_at", kinds.DateTime(), nullable=False),
        sa.Column("user_id", kinds.BigKey(), nullable=False),
        sa.Column("actor_id", kinds.BigKey(), nullable=False),
        sa.Column("post_id", kinds.BigKey(), nullable=True),
        sa.CheckConstraint("kind IN ('follow', 'request', 'like', 'comment')", name=op.f("ck_notification_kind")),
        sa.ForeignKeyConstraint(["actor_id"], ["user.id"], name=op.f("fk_notification_actor_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["post_id"], ["post.id"], name=op.f("fk_notification_post_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name=op.f("fk_notification_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notification")),
    )
    op.create_index(op.f("ix_notification_actor_id"), "notification", ["actor_id"], unique=False)
    op.create_index(op.f("ix_notification_post_id"), "notification", ["post_id"], unique=False)
    op.create_index(op.f("ix_notification_user_id"), "notification", ["user_id"], unique=False)
    op.create_table(
        "report",
        sa.Column("id", kinds.BigKey(), nullable=False),
        sa.Column("post_id", kinds.BigKey(), nullable=False),
        sa.Column("reason", sa.String(20), nullable=False),
        sa.Column("note", sa.String(500), nullable=False),
        sa.Column("closed_at", kinds.DateTime(), nullable=True),
        sa.Column("created_at", kinds.DateTime(), nullable=False),
        sa.Column("reporter_id", kinds.BigKey(), nullable=False),
        sa.CheckConstraint("reason IN ('spam', 'abuse', 'other')", name=op.f("ck_report_reason")),
        sa.ForeignKeyConstraint(["post_id"], ["post.id"], name=op.f("fk_report_post_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["reporter_id"], ["user.id"], name=op.f("fk_report_reporter_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_report")),
        sa.UniqueConstraint("reporter_id", "post_id", name=op.f("uq_report_reporter_id_post_id")),
    )
    op.create_index(op.f("ix_report_post_id"), "report", ["post_id"], unique=False)
    op.create_index(op.f("ix_report_reporter_id"), "report", ["reporter_id"], unique=False)


def downgrade() -> None:
    op.drop_table("report")
    op.drop_table("notification")
    op.drop_table("like")
    op.drop_table("comment")
    op.drop_table("user_groups")
    op.drop_table("post")
    op.drop_table("follow")
    op.drop_table("block")
    op.drop_table("user")
    op.drop_table("auth_group")
    op.drop_table("admin_log_entry")
