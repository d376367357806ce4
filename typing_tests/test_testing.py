"""What a checker knows of the test clients."""

from typing import assert_type

import httpx2

from demijohn import App
from demijohn.testing import AsyncClient, AsyncSocketSession, SocketSession, TestCase, TestClient


def sync_client(app: App) -> None:
    """The sync client is httpx2's, with sockets of its own."""
    with TestClient(app) as client:
        assert_type(client, TestClient)
        assert_type(client.get("/"), httpx2.Response)
        with client.websocket("/ws") as ws:
            assert_type(ws, SocketSession)
            assert_type(ws.receive_text(), str)
            assert_type(ws.receive_bytes(), bytes)


async def async_client(app: App) -> None:
    """The async client is the same, awaited."""
    async with AsyncClient(app) as client:
        assert_type(client, AsyncClient)
        assert_type(await client.get("/"), httpx2.Response)
        async with client.websocket("/ws") as ws:
            assert_type(ws, AsyncSocketSession)
            assert_type(await ws.receive(), str | bytes)


class Case(TestCase):
    """A case of unittest."""

    def test_home(self) -> None:
        """Its client has a type."""
        assert_type(self.client, TestClient)
