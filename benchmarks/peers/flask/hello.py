"""The five workloads in Flask; its handlers are plain functions, so `/def` is the same as `/`."""

from flask import Flask, abort, request

app = Flask(__name__)


@app.get("/")
def plain():
    return "Hello, World!", {"Content-Type": "text/plain; charset=utf-8"}


@app.get("/json")
def json():
    return {"message": "Hello, World!", "ok": True, "count": 3}


@app.get("/users/<int:id>")
def param(id):
    return {"id": id, "q": request.args["q"]}


@app.post("/items")
def post():
    item = request.get_json()
    match item:
        case {"name": str(), "price": float() | int(), "quantity": int()}:
            return {"name": item["name"], "price": item["price"], "quantity": item["quantity"]}
    abort(422)


@app.get("/def")
def plain_def():
    return "Hello, World!", {"Content-Type": "text/plain; charset=utf-8"}
