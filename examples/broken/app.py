"""Ten classic mistakes, each behind a link, for a walk through the error page.

demijohn run app.py --console
"""

import asyncio
import json

from demijohn import App, html
from demijohn.errors import ConfigurationError

app = App()

PRICES = {"apple": 3, "pear": 4}


async def load_price(name: str) -> int:
    await asyncio.sleep(0)
    return PRICES[name]


@app.get("/")
async def home():
    links = html("").join(
        html('<li><a href="{}">{}</a></li>', route.pattern, route.endpoint.__doc__)
        for route in app.router.routes
        if route.endpoint.__module__ == __name__ and route.pattern != "/"
    )
    return html("<!doctype html><title>Broken</title><h1>Ten classic mistakes</h1><ol>{}</ol>", links)


@app.get("/missing-key")
async def missing_key(name: str = "plum", password: str = "hunter2"):
    """A key that is not there"""
    return str(await load_price(name))


@app.get("/not-awaited")
async def not_awaited():
    """A coroutine that was not awaited"""
    price = load_price("apple")
    try:
        return str(price * 2)
    finally:
        price.close()


@app.get("/no-return")
async def no_return():
    """A handler that forgot its return"""
    json.dumps(PRICES)


@app.get("/misspelled")
async def misspelled():
    """A misspelled name"""
    quantity = 3
    return str(quantitty * 2)


@app.get("/none")
async def none():
    """An attribute of None"""
    fruit = next((name for name in PRICES if name == "plum"), None)
    return fruit.title()


@app.get("/bad-json")
async def bad_json():
    """Text that is no JSON"""
    try:
        return json.loads("{'apple': 3}")
    except ValueError as error:
        error.add_note("The price list came from the wholesaler.")
        raise RuntimeError("The prices could not be read.") from error


@app.get("/recursion")
async def recursion():
    """A function that calls itself for ever"""

    def total(names: list[str]) -> int:
        return PRICES[names[0]] + total(names)

    return str(total(["apple"]))


@app.get("/group")
async def group():
    """Several failures at once"""
    async with asyncio.TaskGroup() as tasks:
        for name in ("plum", "apple", "fig"):
            tasks.create_task(load_price(name))


@app.get("/sync")
def sync(factor: int = 0):
    """A division by zero in a plain function"""
    return str(PRICES["apple"] // factor)


@app.get("/configuration")
async def configuration():
    """A mistake that the framework knows"""
    raise ConfigurationError(
        "The battery 'shop' was added twice.",
        why="A name stands for one thing.",
        fix='app.use(Shop(name="other"))',
        code="DJN-413",
    )
