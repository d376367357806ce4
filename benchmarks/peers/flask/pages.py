"""Pages in Flask: a template, a login form, an upload."""

import os
from dataclasses import dataclass

from flask import Flask, redirect, render_template, request, session

app = Flask(__name__)
app.secret_key = os.environ.get("SECRET_KEY", "only-for-a-benchmark-on-this-machine")


@dataclass
class Fortune:
    id: int
    message: str


FORTUNES = [Fortune(number, f'fortune: <b>No. {number}</b> & its "meaning"') for number in range(1, 20)]


@app.get("/")
def home():
    return "Hello, World!"


@app.get("/fortunes")
def fortunes():
    rows = [*FORTUNES, Fortune(0, "Added when it was asked for")]
    rows.sort(key=lambda fortune: fortune.message)
    return render_template("fortunes.html", fortunes=rows)


@app.post("/login")
def login():
    if request.form["password"] != "secret":
        return "Wrong", 403
    session["user"] = request.form["name"]
    return redirect("/", 303)


@app.post("/upload")
def upload():
    return {"size": len(request.files["file"].read())}
