"""The streaming example: in Chromium by its page, and by its API with a client that reads as it likes."""

import json
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, Page, expect


@pytest.fixture(scope="module")
def url(module_serve: Callable[[str], str]) -> str:
    """The example, served."""
    return module_serve("stream.py")


@pytest.mark.browser
def test_tokens(url: str, page: Page) -> None:
    """Tokens are shown as they come, and the stream ends."""
    page.goto(url)
    page.get_by_role("button", name="Ask").click()
    out = page.locator("#answer .out")
    expect(out).to_have_class(re.compile("live"))
    expect(out).not_to_be_empty()
    some = len(out.inner_text())
    expect(out).not_to_have_class(re.compile("live"), timeout=20_000)
    assert len(out.inner_text()) > some
    assert len(out.inner_text().split()) == 41


@pytest.mark.browser
def test_predictions(url: str, page: Page) -> None:
    """The model in the other process knows its flowers."""
    page.goto(url)
    page.get_by_role("button", name="Which iris").click()
    expect(page.locator("#predict .out")).to_contain_text("versicolor", timeout=60_000)
    page.get_by_label("Petal length").fill("1.4")
    page.get_by_label("Petal width").fill("0.2")
    page.get_by_role("button", name="Which iris").click()
    expect(page.locator("#predict .out")).to_contain_text("setosa", timeout=20_000)


@pytest.mark.browser
def test_a_million_rows(url: str, page: Page) -> None:
    """All of them arrive, and the page counts while they do."""
    page.goto(url)
    page.get_by_role("button", name="Count").click()
    expect(page.locator("#readings .out")).to_contain_text("1,000,000 rows", timeout=120_000)


@pytest.mark.browser
def test_chat(url: str, page: Page, browser: Browser) -> None:
    """What one says all see, escaped; who leaves is told."""
    other = browser.new_page()
    for visitor, name in ((page, "Ann"), (other, "Bob")):
        visitor.goto(url)
        visitor.get_by_label("Your name").fill(name)
        visitor.get_by_role("button", name="Enter").click()
        expect(visitor.locator(".said")).to_contain_text(f"{name} is here")
    other.get_by_placeholder("Say something").fill("Hello <b>all</b>")
    other.get_by_role("button", name="Send").click()
    for visitor in (page, other):
        expect(visitor.locator(".said li").last).to_have_text("Bob Hello <b>all</b>")
    other.close()
    expect(page.locator(".said li").last).to_have_text("Bob has left")


def post(url: str, body: bytes, **headers: str) -> bytes:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    with urllib.request.urlopen(urllib.request.Request(url, body, named), timeout=60) as response:
        data: bytes = response.read()
        return data


def test_frames_and_arrays(url: str) -> None:
    """Data frames come and go as JSON and CSV, arrays as JSON; what is no flower is refused."""
    table = b"sepal_length,sepal_width,petal_length,petal_width\r\n5.1,3.5,1.4,0.2\r\n6.3,3.3,6.0,2.5\r\n"
    lines = post(f"{url}/predict", table, content_type="text/csv", accept="text/csv").decode().splitlines()
    assert lines[0] == "sepal_length,sepal_width,petal_length,petal_width,species,certainty"
    assert [line.split(",")[4] for line in lines[1:]] == ["setosa", "virginica"]
    shares = json.loads(post(f"{url}/predict/shares", b"[[5.1,3.5,1.4,0.2]]", content_type="application/json"))
    assert sum(shares[0]) == pytest.approx(1)
    with pytest.raises(urllib.error.HTTPError) as caught:
        post(f"{url}/predict", b'[{"sepal_length": "long"}]', content_type="application/json")
    assert caught.value.code == 422
    caught.value.close()


def test_tokens_come_one_by_one_and_go_on(url: str) -> None:
    """Text arrives while it is made; a browser that comes back gets the events that it has not seen."""
    started = time.monotonic()
    with urllib.request.urlopen(f"{url}/answer.txt?question=why") as response:
        first = response.read1()
        assert len(first.split()) < 30
        assert first
        rest = response.read()
    assert time.monotonic() - started > 0.5
    whole = (first + rest).decode().split()
    assert len(whole) == 41
    asked = urllib.request.Request(f"{url}/answer?question=why", headers={"Last-Event-ID": "29"})
    with urllib.request.urlopen(asked) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        events = response.read().decode()
    assert re.findall(r"id: (\d+)", events) == [str(number) for number in range(30, 41)]
    assert re.findall(r"data: (.+)", events) == whole[30:]


def test_rows_in_both_formats(url: str) -> None:
    """The same rows as CSV and as JSON lines."""
    with urllib.request.urlopen(f"{url}/readings.csv?rows=3") as response:
        assert response.read().splitlines()[0] == b"second,temperature,humidity"
    with urllib.request.urlopen(f"{url}/readings.jsonl?rows=3") as response:
        assert [json.loads(line)["second"] for line in response] == [0, 1, 2]
