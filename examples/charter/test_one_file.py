"""Tests of an app: program 2.7 of the charter."""

import pytest

from demijohn import App

from . import one_file


@pytest.fixture
def app() -> App:
    return one_file.app


def test_home(client):
    assert client.get("/").text == "Hello, World!"


async def test_hello(async_client):
    response = await async_client.get("/hello/ann?shout=1")
    assert response.json() == {"hello": "ANN"}
