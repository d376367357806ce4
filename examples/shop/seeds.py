"""`demijohn db seed`: about 100,000 rows of a shop that has run for a year, in a few seconds.

Rows are mappings and go in by bulk; keys are counted here, so that no row has to be read back.
"""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from examples.shop.models import (
    Brand,
    Category,
    Coupon,
    Customer,
    Label,
    Order,
    OrderLine,
    Payment,
    Product,
    Reason,
    State,
    StockLevel,
    StockMovement,
    Variant,
    Warehouse,
)

TREE = {
    "Books": ["Novels", "Poetry", "Cooking"],
    "Kitchen": ["Glass", "Knives", "Pans"],
    "Garden": ["Seeds", "Tools", "Pots"],
}
WORDS = ["amber", "brass", "cedar", "delft", "ember", "flint", "gauze", "hazel", "ivory", "jade", "kelp", "linen"]
THINGS = ["bottle", "bowl", "book", "knife", "lamp", "pan", "pot", "rake", "spade", "vase"]


async def seed(scale: float = 1.0) -> int:
    """Fill an empty shop; returns how many rows were written."""
    chance = random.Random(7)  # the same shop each time
    rows = 0
    for model, values in _tables(chance, scale):
        rows += await model.bulk_create(values)
    return rows


def _tables(chance: random.Random, scale: float) -> Iterator[tuple[Any, list[dict[str, Any]]]]:
    began = datetime(2026, 1, 1, tzinfo=UTC)
    products, customers, orders = int(1500 * scale), int(4000 * scale), int(20_000 * scale)
    variants = 3 * products

    def some(count: int, of: int) -> Iterator[int]:
        return (chance.randint(1, of) for _ in range(count))

    yield Category, [{"id": n, "name": name, "slug": name.lower()} for n, name in enumerate(TREE, 1)]
    children = [(parent, name) for parent, names in enumerate(TREE.values(), 1) for name in names]
    yield (
        Category,
        [
            {"id": len(TREE) + n, "name": name, "slug": name.lower(), "parent_id": parent}
            for n, (parent, name) in enumerate(children, 1)
        ],
    )
    yield Brand, [{"id": n, "name": f"{word.title()} & Co."} for n, word in enumerate(WORDS, 1)]
    yield Label, [{"name": name} for name in ("new", "reduced", "handmade")]
    yield Warehouse, [{"id": 1, "name": "North"}, {"id": 2, "name": "South"}]
    yield Coupon, [{"code": "WELCOME", "percent": 10, "uses_left": 1000}]
    yield (
        Product,
        [
            {
                "id": n,
                "name": f"{chance.choice(WORDS).title()} {chance.choice(THINGS)} {n}",
                "slug": f"product-{n}",
                "description": "Made to be used every day.",
                "category_id": len(TREE) + 1 + n % len(children),
                "brand_id": 1 + n % len(WORDS),
            }
            for n in range(1, products + 1)
        ],
    )
    prices = [Decimal(chance.randint(300, 20_000)) / 100 for _ in range(variants)]
    yield (
        Variant,
        [
            {
                "id": n + 1,
                "sku": f"SKU-{n + 1:06d}",
                "name": ("small", "medium", "large")[n % 3],
                "price": price,
                "cost": (price / 2).quantize(Decimal("0.01")),
                "product_id": 1 + n // 3,
            }
            for n, price in enumerate(prices)
        ],
    )
    yield (
        StockLevel,
        [
            {"id": 2 * n - 2 + house, "variant_id": n, "warehouse_id": house, "pieces": chance.randint(0, 60)}
            for n in range(1, variants + 1)
            for house in (1, 2)
        ],
    )
    yield (
        Customer,
        [{"id": n, "name": f"Customer {n}", "email": f"customer{n}@example.org"} for n in range(1, customers + 1)],
    )
    placed = sorted(began + timedelta(minutes=chance.randint(0, 330 * 24 * 60)) for _ in range(orders))
    lines = [list(some(chance.randint(1, 3), variants)) for _ in range(orders)]
    states = [chance.choices(list(State), [5, 15, 75, 5])[0] for _ in range(orders)]
    totals = [sum((prices[variant - 1] for variant in line), Decimal()) for line in lines]
    numbered = list(zip(some(orders, customers), placed, states, totals, strict=True))
    yield (
        Order,
        [
            {"id": n, "number": f"A{n:08d}", "customer_id": who, "placed_at": at, "state": state, "total": total}
            for n, (who, at, state, total) in enumerate(numbered, 1)
        ],
    )
    yield (
        OrderLine,
        [
            {"order_id": n, "variant_id": variant, "pieces": 1, "price": prices[variant - 1]}
            for n, line in enumerate(lines, 1)
            for variant in line
        ],
    )
    yield (
        Payment,
        [
            {"order_id": n, "amount": total, "key": f"seed-{n}", "paid_at": at}
            for n, (_, at, state, total) in enumerate(numbered, 1)
            if state in {State.PAID, State.SHIPPED}
        ],
    )
    yield (
        StockMovement,
        [
            {"level_id": 2 * variant - 1, "order_id": n, "pieces": -1, "reason": Reason.SOLD, "moved_at": placed[n - 1]}
            for n, line in enumerate(lines, 1)
            if n % 4 == 0
            for variant in line
        ],
    )
