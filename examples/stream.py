"""What takes long, as it comes: tokens of a text, predictions from other processes, a million rows, a chat.

pip install scikit-learn pandas
demijohn run stream.py
"""

import asyncio
import math
import random
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from functools import cache
from itertools import pairwise
from typing import Annotated, Any

import msgspec
import numpy as np
import pandas as pd
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier

from demijohn import App, Body, Depends, Header, Page, ServerSentEvent, WebSocket, run_in_process
from demijohn.middleware import message_limit
from demijohn.schema import register_encoder

app = App(templates="templates/stream")


@app.get("/")
async def home():
    return Page("home.html", questions=["What is a demijohn?", "How large is it?", "Why cork?"])


# -- tokens, as a language model gives them ----------------------------------------------------------------------------

TEXT = """A demijohn is a very large flask with a narrow neck. A demijohn is often wrapped in wicker. The wicker keeps
the glass from breaking on the road. The glass keeps the wine from the air. A cork keeps the wine in the glass. A large
flask holds what a small flask can not. What is in the flask grows better with the years. The years are long and the
neck is narrow. Wine that grows in a large flask keeps for years."""

following: dict[str, list[str]] = defaultdict(list)
words = TEXT.split()
for word, after in pairwise(words):
    following[word].append(after)


async def tokens(question: str, *, seed: int, length: int = 40) -> AsyncIterator[str]:
    """Yield the words of an answer, with the pauses of a model that thinks."""
    dice = random.Random(f"{question}{seed}")
    word = dice.choice([word for word in words if word[0].isupper()])
    for _ in range(length):
        yield word
        await asyncio.sleep(0.02 + dice.random() * 0.04)
        word = dice.choice(following.get(word) or words)
    yield word.rstrip(".") + "."


@app.get("/answer")
async def answer(
    question: str, seed: int = 1, last_event_id: Annotated[int, Header()] = -1
) -> AsyncIterator[ServerSentEvent]:
    """One event for each token; whoever comes back after a break gets the rest."""
    number = 0
    async for token in tokens(question, seed=seed):
        if number > last_event_id:
            yield ServerSentEvent(token, event="token", id=number)
        number += 1
    yield ServerSentEvent(event="done", data="")


@app.get("/answer.txt")
async def answer_text(question: str, seed: int = 1) -> AsyncIterator[str]:
    """The same for a terminal: `curl -N 'http://127.0.0.1:8000/answer.txt?question=why'`."""
    async for token in tokens(question, seed=seed):
        yield f"{token} "


# -- predictions: the model lives in other processes -------------------------------------------------------------------

register_encoder(np.ndarray, lambda array: array.tolist())
register_encoder(pd.DataFrame, lambda frame: frame.to_dict(orient="records"))


class Flower(msgspec.Struct):
    sepal_length: float
    sepal_width: float
    petal_length: float
    petal_width: float


@cache
def model() -> Any:
    """The model of this process, trained when it is first asked."""
    iris = load_iris()
    names = np.array(iris.target_names)
    return RandomForestClassifier(60, random_state=7).fit(iris.data, names[iris.target])


def classify(flowers: pd.DataFrame) -> pd.DataFrame:
    shares = model().predict_proba(flowers.to_numpy())
    return flowers.assign(species=model().classes_[shares.argmax(axis=1)], certainty=shares.max(axis=1).round(3))


def shares(points: np.ndarray) -> np.ndarray:
    found: np.ndarray = model().predict_proba(points)
    return found


async def frame(flowers: list[Flower]) -> pd.DataFrame:
    """The rows of the body, in whatever format they came, as a data frame."""
    return pd.DataFrame([msgspec.structs.asdict(flower) for flower in flowers], columns=Flower.__struct_fields__)


async def points(values: Annotated[list[tuple[float, float, float, float]], Body()]) -> np.ndarray:
    """A body of four numbers for each flower, as an array."""
    return np.array(values, dtype=float).reshape(-1, 4)


@app.post("/predict", formats=["json", "csv", "msgpack"])
async def predict(flowers: Annotated[pd.DataFrame, Depends(frame)]):
    return await run_in_process(classify, flowers)


@app.post("/predict/shares")
async def predict_shares(points: Annotated[np.ndarray, Depends(points)]):
    return await run_in_process(shares, points)


# -- a million rows ----------------------------------------------------------------------------------------------------


class Reading(msgspec.Struct):
    second: int
    temperature: float
    humidity: float


@app.get("/readings", formats=["csv", "jsonl"])
def readings(rows: int = 1_000_000) -> Iterator[Reading]:
    """A plain generator: it runs in a thread, as fast as the client reads."""
    for second in range(rows):
        turn = math.sin(second / 13_750)
        yield Reading(second, round(14 + 6 * turn, 2), round(70 - 20 * turn, 1))


# -- a chat ------------------------------------------------------------------------------------------------------------


class Say(msgspec.Struct):
    text: Annotated[str, msgspec.Meta(min_length=1, max_length=500)]


class Said(msgspec.Struct):
    name: str
    text: str


people: dict[WebSocket, str] = {}


async def tell(said: Said) -> None:
    """Tell everybody; who does not take it within a second is let go."""

    async def give(ws: WebSocket) -> None:
        try:
            async with asyncio.timeout(1):
                await ws.send_json(said)
        except Exception:
            people.pop(ws, None)

    await asyncio.gather(*map(give, list(people)))


@app.websocket("/chat")
@message_limit("4 KiB", rate="20/10s")
async def chat(ws: WebSocket, name: Annotated[str, msgspec.Meta(min_length=1, max_length=30)]):
    await ws.accept()
    people[ws] = name
    try:
        await tell(Said("", f"{name} is here"))
        async for message in ws.iter_json(Say):
            await tell(Said(name, message.text))
    finally:
        people.pop(ws, None)
        await tell(Said("", f"{name} has left"))
