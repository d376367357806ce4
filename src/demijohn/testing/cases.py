"""Cases for unittest."""

import unittest
from typing import Any, ClassVar

from demijohn.app import App
from demijohn.testing.assertions import assert_errors, assert_redirects, assert_status
from demijohn.testing.client import AsyncClient, TestClient
from demijohn.testing.finding import get_app

__all__ = ["AsyncTestCase", "TestCase"]


class _Assertions:
    """Assertions under the names that unittest gives its own."""

    app: ClassVar[App | None] = None

    def make_app(self) -> App:
        """Return the app under test: `app` of the class, or the one that the command line would find."""
        return get_app() if self.app is None else self.app

    def assert_status(self, response: Any, *expected: int) -> None:
        """Assert that a response has one of the statuses (Any: a response of the client)."""
        assert_status(response, *expected)

    def assert_redirects(self, response: Any, to: str, *, status: int | None = None) -> None:
        """Assert that a response leads to a path or URL (Any: a response of the client)."""
        assert_redirects(response, to, status=status)

    def assert_errors(self, response: Any, places: list[str], *, status: int = 422) -> None:
        """Assert that an answer names errors at these places and no others (Any: a response of the client)."""
        assert_errors(response, places, status=status)

    assertStatus = assert_status  # noqa: N815 - unittest's way to write names
    assertRedirects = assert_redirects  # noqa: N815
    assertErrors = assert_errors  # noqa: N815


class TestCase(_Assertions, unittest.TestCase):
    """A case of unittest with a client; each test has its own.

    Example::

        class TestHome(TestCase):
            app = app

            def test_home(self):
                self.assertEqual(self.client.get("/").text, "Hello, World!")
    """

    _client: TestClient | None = None

    @property
    def client(self) -> TestClient:
        """The client of this test, made when it is first read and closed after the test."""
        if self._client is None:
            self._client = TestClient(self.make_app())
            self.addCleanup(self._close)
        return self._client

    def _close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.close()


class AsyncTestCase(_Assertions, unittest.IsolatedAsyncioTestCase):
    """A case of unittest whose tests are `async def`, with an async client.

    Each test has its own loop, and the app starts on it.

    Example::

        class TestHome(AsyncTestCase):
            app = app

            async def test_home(self):
                self.assertEqual((await self.client.get("/")).text, "Hello, World!")
    """

    _client: AsyncClient | None = None

    @property
    def client(self) -> AsyncClient:
        """The client of this test, made when it is first read and closed after the test."""
        if self._client is None:
            self._client = AsyncClient(self.make_app())
            self.addAsyncCleanup(self._close)
        return self._client

    async def _close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()
