"""From a cart to a parcel: each step is one transaction, which locks what it reads and changes."""

from collections.abc import Sequence
from decimal import Decimal

from demijohn.db import UniqueViolation
from demijohn.errors import Conflict

from .database import db
from .models import (
    Address,
    Cart,
    CartLine,
    Coupon,
    Customer,
    Order,
    OrderLine,
    Payment,
    Reason,
    Refund,
    Shipment,
    State,
    StockLevel,
    StockMovement,
    Variant,
)


class OutOfStock(Conflict):
    """409: a variant is not there in the number that was asked for."""


class WrongState(Conflict):
    """409: an order is not in the state that a step starts from."""


async def put(cart: Cart, variant: Variant, pieces: int) -> None:
    """Add pieces of a variant to a cart, or take its line out where none are left."""
    line = await CartLine.where(cart=cart, variant=variant).for_update().one_or_none()
    wanted = pieces + (line.pieces if line else 0)
    if line is None:
        await CartLine.create(cart=cart, variant=variant, pieces=wanted)
    elif wanted < 1:
        await line.delete()
    else:
        await line.assign(pieces=wanted).save()


async def place(customer: Customer, wanted: Sequence[tuple[Variant, int]], *, coupon: str = "") -> Order:
    """Make an order: take the pieces from stock, use the coupon, keep the prices of now.

    Raises:
        OutOfStock: Something is not there. Nothing was taken.
    """
    async with db.transaction():
        used = await _use(coupon) if coupon else None
        subtotal = sum((pieces * variant.price for variant, pieces in wanted), Decimal())
        total = (subtotal * (100 - (used.percent if used else 0)) / 100).quantize(Decimal("0.01"))
        order = await Order.create(number=await _next_number(), customer=customer, coupon=used, total=total)
        # Always in the same order, so that two customers with the same things wait for each other and never cross.
        for variant, pieces in sorted(wanted, key=lambda one: one[0].id):
            await _take(order, variant, pieces)
            await OrderLine.create(order=order, variant=variant, pieces=pieces, price=variant.price)
    return order


async def check_out(cart: Cart, customer: Customer, *, coupon: str = "") -> Order:
    """Make an order of a cart, and empty it."""
    async with db.transaction():
        lines = await CartLine.where(cart=cart).load(CartLine.variant).for_update()
        if not lines:
            raise Conflict("The cart is empty.")
        order = await place(customer, [(line.variant, line.pieces) for line in lines], coupon=coupon)
        await CartLine.where(cart=cart).delete()
    return order


async def _use(code: str) -> Coupon:
    coupon = await Coupon.where(code=code).for_update().one_or_none()
    if coupon is None or coupon.uses_left < 1:
        raise Conflict("There is no such coupon, or it was used.")
    return await coupon.assign(uses_left=coupon.uses_left - 1).save()


async def _next_number() -> str:
    last = await Order.query().order_by("-id").first()
    return f"A{(last.id if last else 0) + 1:08d}"


async def _take(order: Order, variant: Variant, pieces: int) -> None:
    levels = await StockLevel.where(StockLevel.pieces > 0, variant=variant).order_by("id").for_update()
    for level in levels:
        taken = min(pieces, level.pieces)
        await level.assign(pieces=level.pieces - taken).save()
        await StockMovement.create(level=level, order=order, pieces=-taken, reason=Reason.SOLD)
        pieces -= taken
        if not pieces:
            return
    raise OutOfStock(f"{variant.sku} is not there in that number.")


async def pay(order: Order, amount: Decimal, *, key: str) -> Payment:
    """Note a payment, once for each key; an order that is covered becomes paid."""
    try:
        async with db.transaction():  # what may fail gets a block of its own
            payment = await Payment.create(order=order, amount=amount, key=key)
    except UniqueViolation:
        payment = await Payment.where(key=key).one()
        if (payment.order_id, payment.amount) != (order.id, amount):
            raise Conflict("This key belongs to another payment.") from None
        return payment
    order = await _locked(order, State.PLACED)
    if (await Payment.where(order=order).sum(Payment.amount) or 0) >= order.total:
        await order.assign(state=State.PAID).save()
    return payment


async def ship(order: Order, address: Address, *, tracking: str) -> Shipment:
    """Send a paid order."""
    async with db.transaction():
        order = await _locked(order, State.PAID)
        await order.assign(state=State.SHIPPED).save()
        return await Shipment.create(order=order, address=address, tracking=tracking)


async def cancel(order: Order) -> Order:
    """Take an order back: its pieces go where they came from, and what was paid is refunded."""
    async with db.transaction():
        order = await _locked(order, State.PLACED, State.PAID)
        for movement in await StockMovement.where(order=order, reason=Reason.SOLD).load(StockMovement.level):
            level = await StockLevel.where(id=movement.level_id).for_update().one()
            await level.assign(pieces=level.pieces - movement.pieces).save()
            await StockMovement.create(level=level, order=order, pieces=-movement.pieces, reason=Reason.RETURNED)
        for payment in await Payment.where(order=order):
            await Refund.create(payment=payment, amount=payment.amount)
        return await order.assign(state=State.CANCELLED).save()


async def _locked(order: Order, *states: State) -> Order:
    locked = await Order.where(id=order.id).for_update().one()
    if locked.state not in states:
        raise WrongState(f"The order {locked.number} is {locked.state.value}.")
    return locked
