"""What the shop earns: plain SQLAlchemy, one statement for each report, on every database."""

from datetime import datetime
from typing import Any

from sqlalchemy import case, func, literal, select
from sqlalchemy.orm import aliased

from .database import db
from .models import Category, Customer, Order, OrderLine, Product, State, StockLevel, Variant

_SOLD = Order.state.in_([State.PAID, State.SHIPPED])
_REVENUE = func.sum(OrderLine.pieces * OrderLine.price)


async def _rows(statement: Any) -> list[dict[str, Any]]:
    return [dict(row) for row in (await db.execute(statement)).mappings()]


async def days(since: datetime) -> list[dict[str, Any]]:
    """Revenue by day, what came in so far, and the change against the day before: window functions."""
    day = func.date(Order.placed_at)
    daily = (
        select(day.label("day"), func.count(Order.id).label("orders"), func.sum(Order.total).label("revenue"))
        .where(_SOLD, Order.placed_at >= since)
        .group_by(day)
        .cte("daily")
    )
    before = func.lag(daily.c.revenue).over(order_by=daily.c.day)
    return await _rows(
        select(
            daily.c.day,
            daily.c.orders,
            daily.c.revenue,
            func.sum(daily.c.revenue).over(order_by=daily.c.day).label("so_far"),
            (daily.c.revenue - before).label("change"),
        ).order_by(daily.c.day)
    )


async def best_sellers(per_category: int = 3) -> list[dict[str, Any]]:
    """The products that sell best in each category: a rank within a partition."""
    sold = (
        select(
            Product.category_id,
            Product.name.label("product"),
            func.sum(OrderLine.pieces).label("pieces"),
            func.rank()
            .over(partition_by=Product.category_id, order_by=func.sum(OrderLine.pieces).desc())
            .label("place"),
        )
        .select_from(OrderLine)
        .join(OrderLine.order)
        .join(OrderLine.variant)
        .join(Variant.product)
        .where(_SOLD)
        .group_by(Product.category_id, Product.id, Product.name)
        .subquery()
    )
    return await _rows(
        select(Category.name.label("category"), sold.c.place, sold.c.product, sold.c.pieces)
        .join(sold, sold.c.category_id == Category.id)
        .where(sold.c.place <= per_category)
        .order_by(Category.name, sold.c.place, sold.c.product)
    )


async def category_tree() -> list[dict[str, Any]]:
    """Revenue of each category with all below it: a recursive CTE over the tree."""
    below = select(Category.id.label("top"), Category.id.label("id"), literal(0).label("depth")).cte(
        "below", recursive=True
    )
    child = aliased(Category)
    below = below.union_all(select(below.c.top, child.id, below.c.depth + 1).where(child.parent_id == below.c.id))
    own = (
        select(Product.category_id, _REVENUE.label("revenue"))
        .select_from(OrderLine)
        .join(OrderLine.order)
        .join(OrderLine.variant)
        .join(Variant.product)
        .where(_SOLD)
        .group_by(Product.category_id)
        .cte("own")
    )
    return await _rows(
        select(
            Category.name.label("category"),
            func.count(below.c.id).label("categories"),
            func.coalesce(func.sum(own.c.revenue), 0).label("revenue"),
        )
        .join(below, below.c.top == Category.id)
        .outerjoin(own, own.c.category_id == below.c.id)
        .group_by(Category.id, Category.name)
        .order_by(func.coalesce(func.sum(own.c.revenue), 0).desc(), Category.name)
    )


async def customers(limit: int = 10) -> list[dict[str, Any]]:
    """Who has bought most: the share of each in the whole, and in which quarter of all customers they are."""
    spent = (
        select(Order.customer_id, func.count(Order.id).label("orders"), func.sum(Order.total).label("spent"))
        .where(_SOLD)
        .group_by(Order.customer_id)
        .cte("spent")
    )
    return await _rows(
        select(
            Customer.name.label("customer"),
            spent.c.orders,
            spent.c.spent,
            (spent.c.spent * 100.0 / func.sum(spent.c.spent).over()).label("percent"),
            func.ntile(4).over(order_by=spent.c.spent.desc()).label("quarter"),
        )
        .join(spent, spent.c.customer_id == Customer.id)
        .order_by(spent.c.spent.desc(), Customer.id)
        .limit(limit)
    )


async def stock() -> list[dict[str, Any]]:
    """What lies in each warehouse, what it cost, and how many variants are nearly sold out."""
    return await _rows(
        select(
            StockLevel.warehouse_id.label("warehouse"),
            func.sum(StockLevel.pieces).label("pieces"),
            func.sum(StockLevel.pieces * Variant.cost).label("cost"),
            func.sum(case((StockLevel.pieces < 5, 1), else_=0)).label("nearly_out"),
        )
        .join(StockLevel.variant)
        .group_by(StockLevel.warehouse_id)
        .order_by(StockLevel.warehouse_id)
    )
