"""Create brand, cart, category, coupon, customer, label, supplier, warehouse, address, order, prod...."""

import sqlalchemy as sa

from demijohn.migrations import kinds, op

revision = "0001_initial"
down_revision = None
# What the models said, as hashes: a database prints its defaults and checks in a form of its own.
texts = {
    "address": "",
    "brand": "",
    "cart": "",
    "cart_line": "",
    "category": "",
    "coupon": "",
    "customer": "",
    "label": "",
    "order": "",
    "order ck_order_state": "0344c2b0916a",
    "order_line": "",
    "payment": "",
    "product": "",
    "product_labels": "",
    "refund": "",
    "review": "",
    "shipment": "",
    "stock_level": "",
    "stock_level ck_stock_level_a8cb9ca8": "a8cb9ca8cc46",
    "stock_movement": "",
    "stock_movement ck_stock_movement_reason": "458bd825da92",
    "supplier": "",
    "supplier_brands": "",
    "variant": "",
    "warehouse": "",
}


def upgrade() -> None:
    op.create_table(
        "brand",
        sa.Column("id", kinds.BigKey(), nullable=False),
        sa.Column("name", sa.String(60), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_brand")),
        sa.UniqueConstraint("name", name=op.f("uq_brand_name")),
    )
    op.create_table(
        "cart",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", kinds.DateTime(), nullable=False),
        sa.Column("updated_at", kinds.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cart")),
    )
    op.create_table(
        "category",
        sa.Column("id", kinds.BigKey(), nullable=False),
        sa.Column("name", sa.String(60), nullable=False),
        sa.Column("slug", sa.String(60), nullable=False),
        sa.Column("parent_id", kinds.BigKey(), nullable=True),
        sa.ForeignKeyConstraint(["parent_id"], ["category.id"], name=op.f("fk_category_parent_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_category")),
        sa.UniqueConstraint("slug", name=op.f("uq_category_slug")),
    )
    op.create_index(op.f("ix_category_parent_id"), "category", ["parent_id"], unique=False)
    op.create_table(
        "coupon",
        sa.Column("id", kinds.BigKey(), nullable=False),
        sa.Column("code", sa.String(20), nullable=False),
        sa.Column("percent", sa.Integer(), nullable=False),
        sa.Column("uses_left", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_coupon")),
        sa.UniqueConstraint("code", name=op.f("uq_coupon_code")),
    )
    op.create_table(
        "customer",
        sa.Column("id", kinds.BigKey(), nullable=False),
        sa.Column("name", sa.String(80), nullable=False),
        sa.Column("email", sa.String(120), nullable=False),
        sa.Column("created_at", kinds.DateTime(), nullable=False),
        sa.Column("updated_at", kinds.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_customer")),
        sa.UniqueConstraint("email", name=op.f("uq_customer_email")),
    )
    op.create_table(
        "label",
        sa.Column("id", kinds.BigKey(), nullable=False),
        sa.Column("name", sa.String(40), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_label")),
        sa.UniqueConstraint("name", name=op.f("uq_label_name")),
    )
    op.create_table(
        "supplier",
        sa.Column("id", kinds.BigKey(), nullable=False),
        sa.Column("name", sa.String(80), nullable=False),
        sa.Column("email", sa.String(120), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_supplier")),
        sa.UniqueConstraint("name", name=op.f("uq_supplier_name")),
    )
    op.create_table(
        "warehouse",
        sa.Column("id", kinds.BigKey(), nullable=False),
        sa.Column("name", sa.String(60), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_warehouse")),
        sa.UniqueConstraint("name", name=op.f("uq_warehouse_name")),
    )
    op.create_table(
        "address",
        sa.Column("id", kinds.BigKey(), nullable=False),
        sa.Column("street", sa.String(120), nullable=False),
        sa.Column("city", sa.String(80), nullable=False),
        sa.Column("country", sa.String(2), nullable=False),
        sa.Column("customer_id", kinds.BigKey(), nullable=False),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customer.id"], name=op.f("fk_address_customer_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_address")),
    )
    op.create_index(op.f("ix_address_customer_id"), "address", ["customer_id"], unique=False)
    op.create_table(
        "order",
        sa.Column("id", kinds.BigKey(), nullable=False),
        sa.Column("number", sa.String(20), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("total", kinds.Decimal(12, 2), nullable=False),
        sa.Column("placed_at", kinds.DateTime(), nullable=False),
        sa.Column("customer_id", kinds.BigKey(), nullable=False),
        sa.Column("coupon_id", kinds.BigKey(), nullable=True),
        sa.CheckConstraint("state IN ('placed', 'paid', 'shipped', 'cancelled')", name=op.f("ck_order_state")),
        sa.ForeignKeyConstraint(["coupon_id"], ["coupon.id"], name=op.f("fk_order_coupon_id"), ondelete="SET NULL"),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customer.id"], name=op.f("fk_order_customer_id"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_order")),
        sa.UniqueConstraint("number", name=op.f("uq_order_number")),
    )
    op.create_index(op.f("ix_order_coupon_id"), "order", ["coupon_id"], unique=False)
    op.create_index(op.f("ix_order_customer_id"), "order", ["customer_id"], unique=False)
    op.create_index(op.f("ix_order_placed_at"), "order", ["placed_at"], unique=False)
    op.create_index(op.f("ix_order_state"), "order", ["state"], unique=False)
    op.create_table(
        "product",
        sa.Column("id", kinds.BigKey(), nullable=False),
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("slug", sa.String(120), nullable=False),
        sa.Column("description", kinds.LongText(), nullable=False),
        sa.Column("is_listed", sa.Boolean(), nullable=False),
        sa.Column("category_id", kinds.BigKey(), nullable=False),
        sa.Column("created_at", kinds.DateTime(), nullable=False),
        sa.Column("updated_at", kinds.DateTime(), nullable=False),
        sa.Column("brand_id", kinds.BigKey(), nullable=True),
        sa.ForeignKeyConstraint(["brand_id"], ["brand.id"], name=op.f("fk_product_brand_id"), ondelete="SET NULL"),
        sa.ForeignKeyConstraint(
            ["category_id"], ["category.id"], name=op.f("fk_product_category_id"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_product")),
        sa.UniqueConstraint("slug", name=op.f("uq_product_slug")),
    )
    op.create_index(op.f("ix_product_brand_id"), "product", ["brand_id"], unique=False)
    op.create_index(op.f("ix_product_category_id"), "product", ["category_id"], unique=False)
    op.create_index(op.f("ix_product_is_listed"), "product", ["is_listed"], unique=False)
    op.create_table(
        "supplier_brands",
        sa.Column("supplier_id", kinds.BigKey(), autoincrement=False, nullable=False),
        sa.Column("brand_id", kinds.BigKey(), autoincrement=False, nullable=False),
        sa.ForeignKeyConstraint(
            ["brand_id"], ["brand.id"], name=op.f("fk_supplier_brands_brand_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["supplier_id"], ["supplier.id"], name=op.f("fk_supplier_brands_supplier_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("supplier_id", "brand_id", name=op.f("pk_supplier_brands")),
    )
    op.create_index(op.f("ix_supplier_brands_brand_id"), "supplier_brands", ["brand_id"], unique=False)
    op.create_table(
        "payment",
        sa.Column("id", kinds.BigKey(), nullable=False),
        sa.Column("key", sa.String(60), nullable=False),
        sa.Column("amount", kinds.Decimal(12, 2), nullable=False),
        sa.Column("paid_at", kinds.DateTime(), nullable=False),
        sa.Column("order_id", kinds.BigKey(), nullable=False),
        sa.ForeignKeyConstraint(["order_id"], ["order.id"], name=op.f("fk_payment_order_id"), ondelete="RESTRICT"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payment")),
        sa.UniqueConstraint("key", name=op.f("uq_payment_key")),
    )
    op.create_index(op.f("ix_payment_order_id"), "payment", ["order_id"], unique=False)
    op.create_table(
        "product_labels",
        sa.Column("product_id", kinds.BigKey(), autoincrement=False, nullable=False),
        sa.Column("label_id", kinds.BigKey(), autoincrement=False, nullable=False),
        sa.ForeignKeyConstraint(
            ["label_id"], ["label.id"], name=op.f("fk_product_labels_label_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["product_id"], ["product.id"], name=op.f("fk_product_labels_product_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("product_id", "label_id", name=op.f("pk_product_labels")),
    )
    op.create_index(op.f("ix_product_labels_label_id"), "product_labels", ["label_id"], unique=False)
    op.create_table(
        "review",
        sa.Column("id", kinds.BigKey(), nullable=False),
        sa.Column("stars", sa.Integer(), nullable=False),
        sa.Column("text", kinds.LongText(), nullable=False),
        sa.Column("product_id", kinds.BigKey(), nullable=False),
        sa.Column("customer_id", kinds.BigKey(), nullable=False),
        sa.Column("created_at", kinds.DateTime(), nullable=False),
        sa.Column("updated_at", kinds.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customer.id"], name=op.f("fk_review_customer_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["product_id"], ["product.id"], name=op.f("fk_review_product_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_review")),
        sa.UniqueConstraint("product_id", "customer_id", name=op.f("uq_review_product_id_customer_id")),
    )
    op.create_index(op.f("ix_review_customer_id"), "review", ["customer_id"], unique=False)
    op.create_index(op.f("ix_review_product_id"), "review", ["product_id"], unique=False)
    op.create_table(
        "shipment",
        sa.Column("id", kinds.BigKey(), nullable=False),
        sa.Column("tracking", sa.String(40), nullable=False),
        sa.Column("shipped_at", kinds.DateTime(), nullable=False),
        sa.Column("order_id", kinds.BigKey(), nullable=False),
        sa.Column("address_id", kinds.BigKey(), nullable=False),
        sa.ForeignKeyConstraint(
            ["address_id"], ["address.id"], name=op.f("fk_shipment_address_id"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(["order_id"], ["order.id"], name=op.f("fk_shipment_order_id"), ondelete="RESTRICT"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shipment")),
        sa.UniqueConstraint("order_id", name=op.f("uq_shipment_order_id")),
        sa.UniqueConstraint("tracking", name=op.f("uq_shipment_tracking")),
    )
    op.create_index(op.f("ix_shipment_address_id"), "shipment", ["address_id"], unique=False)
    op.create_table(
        "variant",
        sa.Column("id", kinds.BigKey(), nullable=False),
        sa.Column("sku", sa.String(30), nullable=False),
        sa.Column("name", sa.String(60), nullable=False),
        sa.Column("price", kinds.Decimal(10, 2), nullable=False),
        sa.Column("cost", kinds.Decimal(10, 2), nullable=False),
        sa.Column("product_id", kinds.BigKey(), nullable=False),
        sa.ForeignKeyConstraint(["product_id"], ["product.id"], name=op.f("fk_variant_product_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_variant")),
        sa.UniqueConstraint("sku", name=op.f("uq_variant_sku")),
    )
    op.create_index(op.f("ix_variant_product_id"), "variant", ["product_id"], unique=False)
    op.create_table(
        "cart_line",
        sa.Column("id", kinds.BigKey(), nullable=False),
        sa.Column("pieces", sa.Integer(), nullable=False),
        sa.Column("cart_id", sa.Uuid(), nullable=False),
        sa.Column("variant_id", kinds.BigKey(), nullable=False),
        sa.ForeignKeyConstraint(["cart_id"], ["cart.id"], name=op.f("fk_cart_line_cart_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["variant_id"], ["variant.id"], name=op.f("fk_cart_line_variant_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cart_line")),
        sa.UniqueConstraint("cart_id", "variant_id", name=op.f("uq_cart_line_cart_id_variant_id")),
    )
    op.create_index(op.f("ix_cart_line_cart_id"), "cart_line", ["cart_id"], unique=False)
    op.create_index(op.f("ix_cart_line_variant_id"), "cart_line", ["variant_id"], unique=False)
    op.create_table(
        "order_line",
        sa.Column("id", kinds.BigKey(), nullable=False),
        sa.Column("pieces", sa.Integer(), nullable=False),
        sa.Column("price", kinds.Decimal(10, 2), nullable=False),
        sa.Column("order_id", kinds.BigKey(), nullable=False),
        sa.Column("variant_id", kinds.BigKey(), nullable=False),
        sa.ForeignKeyConstraint(["order_id"], ["order.id"], name=op.f("fk_order_line_order_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["variant_id"], ["variant.id"], name=op.f("fk_order_line_variant_id"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_order_line")),
    )
    op.create_index(op.f("ix_order_line_order_id"), "order_line", ["order_id"], unique=False)
    op.create_index(op.f("ix_order_line_variant_id"), "order_line", ["variant_id"], unique=False)
    op.create_table(
        "refund",
        sa.Column("id", kinds.BigKey(), nullable=False),
        sa.Column("amount", kinds.Decimal(12, 2), nullable=False),
        sa.Column("refunded_at", kinds.DateTime(), nullable=False),
        sa.Column("payment_id", kinds.BigKey(), nullable=False),
        sa.ForeignKeyConstraint(["payment_id"], ["payment.id"], name=op.f("fk_refund_payment_id"), ondelete="RESTRICT"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refund")),
    )
    op.create_index(op.f("ix_refund_payment_id"), "refund", ["payment_id"], unique=False)
    op.create_table(
        "stock_level",
        sa.Column("id", kinds.BigKey(), nullable=False),
        sa.Column("pieces", sa.Integer(), nullable=False),
        sa.Column("variant_id", kinds.BigKey(), nullable=False),
        sa.Column("warehouse_id", kinds.BigKey(), nullable=False),
        sa.CheckConstraint("pieces >= 0", name=op.f("ck_stock_level_a8cb9ca8")),
        sa.ForeignKeyConstraint(
            ["variant_id"], ["variant.id"], name=op.f("fk_stock_level_variant_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["warehouse_id"], ["warehouse.id"], name=op.f("fk_stock_level_warehouse_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stock_level")),
        sa.UniqueConstraint("variant_id", "warehouse_id", name=op.f("uq_stock_level_variant_id_warehouse_id")),
    )
    op.create_index(op.f("ix_stock_level_variant_id"), "stock_level", ["variant_id"], unique=False)
    op.create_index(op.f("ix_stock_level_warehouse_id"), "stock_level", ["warehouse_id"], unique=False)
    op.create_table(
        "stock_movement",
        sa.Column("id", kinds.BigKey(), nullable=False),
        sa.Column("pieces", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(20), nullable=False),
        sa.Column("moved_at", kinds.DateTime(), nullable=False),
        sa.Column("level_id", kinds.BigKey(), nullable=False),
        sa.Column("order_id", kinds.BigKey(), nullable=True),
        sa.CheckConstraint("reason IN ('bought', 'sold', 'returned')", name=op.f("ck_stock_movement_reason")),
        sa.ForeignKeyConstraint(
            ["level_id"], ["stock_level.id"], name=op.f("fk_stock_movement_level_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["order_id"], ["order.id"], name=op.f("fk_stock_movement_order_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stock_movement")),
    )
    op.create_index(op.f("ix_stock_movement_level_id"), "stock_movement", ["level_id"], unique=False)
    op.create_index(op.f("ix_stock_movement_order_id"), "stock_movement", ["order_id"], unique=False)


def downgrade() -> None:
    op.drop_table("stock_movement")
    op.drop_table("stock_level")
    op.drop_table("refund")
    op.drop_table("order_line")
    op.drop_table("cart_line")
    op.drop_table("variant")
    op.drop_table("shipment")
    op.drop_table("review")
    op.drop_table("product_labels")
    op.drop_table("payment")
    op.drop_table("supplier_brands")
    op.drop_table("product")
    op.drop_table("order")
    op.drop_table("address")
    op.drop_table("warehouse")
    op.drop_table("supplier")
    op.drop_table("label")
    op.drop_table("customer")
    op.drop_table("coupon")
    op.drop_table("category")
    op.drop_table("cart")
    op.drop_table("brand")
