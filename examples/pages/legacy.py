"""The site of before, in Flask: it runs inside, and loses a page whenever one has moved over."""

import flask

old = flask.Flask("cellar")


@old.get("/history")
def history():
    return "<!doctype html><title>History</title><h1>History</h1><p>Since 1903.</p>"


@old.get("/prices")
def prices():
    return "<!doctype html><title>Prices</title><h1>Prices</h1><p>By the bottle.</p>"
