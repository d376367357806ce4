"""The queue between a request and the server of mail: nobody waits for SMTP, and what fails for now is tried again."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from contextvars import Context

from demijohn.mail.message import Message
from demijohn.mail.protocols import MailBackend

__all__ = ["Outbox"]

logger = logging.getLogger("demijohn.mail")

_BATCH = 20


class Outbox:
    """Sends messages in the background, a few connections at a time.

    Args:
        backend: What sends.
        most: How many messages may wait; more are refused, and logged.
        at_once: How many connections.
        again: After how many seconds a message that failed for now is tried again.
    """

    def __init__(
        self,
        backend: Callable[[], MailBackend],
        *,
        most: int = 10_000,
        at_once: int = 4,
        again: tuple[float, ...] = (2, 15, 60, 300, 900),
    ) -> None:
        self._backend = backend
        self._most = most
        self._at_once = at_once
        self._again = again
        self._waiting: deque[tuple[Message, int]] = deque()
        self._workers: set[asyncio.Task[None]] = set()
        self._later: dict[asyncio.TimerHandle, tuple[Message, int]] = {}

    def __len__(self) -> int:
        return len(self._waiting) + len(self._later)

    def put(self, message: Message, *, tried: int = 0) -> None:
        """Let a message be sent as soon as may be."""
        if len(self) >= self._most:
            logger.error("A message was dropped: %d wait already", len(self))
            return
        self._waiting.append((message, tried))
        if len(self._workers) < self._at_once:
            # In a context of its own: it outlives the request, and has no part in its unit of work.
            worker = asyncio.get_running_loop().create_task(self._work(), context=Context())
            self._workers.add(worker)
            worker.add_done_callback(self._workers.discard)

    async def drain(self, timeout: float = 10.0) -> int:
        """Send what waits, for as long as that may take, and return how many messages are left."""
        for handle, (message, tried) in list(self._later.items()):
            handle.cancel()
            del self._later[handle]
            self.put(message, tried=max(tried, len(self._again)))  # one last time
        if self._workers:
            _, busy = await asyncio.wait(self._workers, timeout=timeout)
            for worker in busy:
                worker.cancel()
            await asyncio.gather(*busy, return_exceptions=True)
        left = len(self)
        self._waiting.clear()
        if left:
            logger.error("%d messages were not sent before the end", left)
        return left

    async def _work(self) -> None:
        while self._waiting:
            batch = [self._waiting.popleft() for _ in range(min(_BATCH, len(self._waiting)))]
            done = 0
            try:
                backend = self._backend()
                verdicts = await backend.send([message for message, _ in batch])
                for (message, tried), failure in zip(batch, verdicts, strict=True):
                    done += 1
                    if failure is not None:
                        self._judge(backend, message, tried=tried, failure=failure)
            except asyncio.CancelledError:
                self._waiting.extendleft(reversed(batch[done:]))  # counted as not sent
                raise
            except Exception:
                logger.exception("%d messages were not sent", len(batch) - done)

    def _judge(self, backend: MailBackend, message: Message, *, tried: int, failure: Exception) -> None:
        if backend.is_temporary(failure) and tried < len(self._again):
            wait = self._again[tried]
            logger.warning("A message was not sent, and is tried again in %g seconds: %s", wait, failure)
            loop = asyncio.get_running_loop()

            def again() -> None:
                self._later.pop(handle, None)
                self.put(message, tried=tried + 1)

            handle = loop.call_later(wait, again)
            self._later[handle] = (message, tried + 1)
            return
        logger.error("A message was not sent: %s", failure, exc_info=failure)
