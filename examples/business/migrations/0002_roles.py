"""Two roles: who sells, and who keeps the books."""

import sqlalchemy as sa

from demijohn.migrations import op

revision = "0002_roles"
down_revision = "0001_initial"

group = sa.table("auth_group", sa.column("name", sa.String), sa.column("permissions", sa.JSON))
ROLES = {
    "Sales": ["customer.view", "customer.add", "customer.edit", "invoice.view", "invoice.add", "invoice.edit"],
    "Accounting": ["customer.view", "invoice.view", "invoice.issue", "invoice.pay"],
}


def upgrade() -> None:
    op.bulk_insert(group, [{"name": name, "permissions": permissions} for name, permissions in ROLES.items()])


def downgrade() -> None:
    op.execute(group.delete().where(group.c.name.in_(ROLES)))
