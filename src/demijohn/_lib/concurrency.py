"""Threads for code that blocks: a bounded pool with its own queue, and the servant.

A *servant* is the task on the event loop that runs a function in a worker thread and meanwhile answers that thread's
`wait`: whatever the thread waits for is awaited by the servant itself, in its own task and context. So a timeout around
the servant, its cancellation and everything that belongs to its task (a unit of work) hold for the thread as well.

A *lease* keeps one thread of a pool for everything that one request does in threads.
"""

import os
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import Context, ContextVar, copy_context
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Any, Generic, TypeVar, cast

from demijohn._lib.later import asyncio, logger_of

__all__ = ["Lease", "Pool", "PoolFull", "Servant", "find_servant", "leased", "run_in_thread", "wait_in_thread"]

T = TypeVar("T")
_UNSET: Any = object()
_IDLE_SECONDS = 30.0
_LONG_WAIT = 1.0

logger = logger_of("demijohn.threads")


class PoolFull(Exception):
    """Every thread is busy and as many calls as allowed are waiting already."""

    def __init__(self, pool: "Pool") -> None:
        self.pool = pool
        super().__init__(
            f"All {pool.size} threads of the pool {pool.name!r} are busy and {pool.most_waiting} calls wait."
        )


class Pool:
    """A bounded pool of daemon threads fed by one queue; threads start when needed and leave when idle.

    Args:
        size: The most threads; `min(32, 4 x cores)` by default.
        most_waiting: The most calls that may wait for a thread; twice the size by default, then `PoolFull`.
    """

    def __init__(self, name: str, *, size: int | None = None, most_waiting: int | None = None) -> None:
        self.name = name
        self.size = size or min(32, 4 * (os.cpu_count() or 1))
        self.most_waiting = 2 * self.size if most_waiting is None else most_waiting
        self.running = 0
        self._held: dict[int, tuple[str, float]] = {}
        self._told_at = 0.0
        self._threads: set[threading.Thread] = set()
        # Each queued call is promised to a thread (one that was free, or starts for it) or counts to the backlog. Under
        # the lock, since a thread that is about to take one call must not look free to the next.
        self._free = 0
        self._backlog = 0
        self._queue: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._lock = threading.Lock()

    @property
    def waiting(self) -> int:
        """Return how many calls wait for a thread now."""
        return self._backlog

    def holders(self) -> list[str]:
        """Return what the busy threads do and for how long, the longest first."""
        now = monotonic()
        held = sorted(self._held.values(), key=lambda item: item[1])
        return [f"{label or 'a call'} for {now - since:.1f} s" for label, since in held]

    def tell_wait(self, label: str, waited: float) -> None:
        """Log that a call had to wait long for a thread, and who holds them; at most once in ten seconds."""
        now = monotonic()
        if now - self._told_at >= 10:
            self._told_at = now
            logger.warning(
                "%s waited %.1f s for one of the %d threads of %s. They are held by: %s",
                label or "A call",
                waited,
                self.size,
                self.name,
                "; ".join(self.holders()[:5]) or "calls that have ended meanwhile",
            )

    def submit(self, call: Callable[[], None]) -> None:
        """Queue `call`, which must not raise, for the next free thread.

        Raises:
            PoolFull: As many calls as allowed are waiting.
        """
        with self._lock:
            if self._free > 0:
                self._free -= 1
            elif len(self._threads) < self.size:
                thread = threading.Thread(target=self._work, name=f"{self.name}-{len(self._threads)}", daemon=True)
                thread.start()
                self._threads.add(thread)
            elif self._backlog >= self.most_waiting:
                raise PoolFull(self)
            else:
                self._backlog += 1
            self._queue.put(call)

    def close(self, timeout: float = 5.0) -> bool:
        """Let the threads end after their present call; return whether all did in time."""
        with self._lock:
            threads = list(self._threads)
        for _ in threads:
            self._queue.put(None)
        for thread in threads:
            thread.join(max(0.0, timeout))
        return not any(thread.is_alive() for thread in threads)

    def _work(self) -> None:
        get = self._queue.get
        while True:
            try:
                call = get(True, _IDLE_SECONDS)
            except Empty:
                call = None
            if call is None:
                if self._leave():
                    return
                continue
            self.running += 1
            try:
                call()
            finally:
                self.running -= 1
                call = None  # frames and results must not live until the next call
            with self._lock:
                if self._backlog:
                    self._backlog -= 1
                else:
                    self._free += 1

    def _leave(self) -> bool:
        with self._lock:
            if self._free > 0:
                self._free -= 1
                self._threads.discard(threading.current_thread())
                return True
        return False  # a call was promised to it meanwhile


class Lease:
    """One thread of a pool that is kept from its first call until the lease is closed.

    While a call waits in it, the thread does the calls that come meanwhile: what is waited for may need the thread too.
    """

    __slots__ = ("_begun", "_ended", "_held", "_pool", "_queue", "is_open", "label", "loop")

    def __init__(self, pool: Pool, *, label: str = "") -> None:
        self.label = label
        self.loop = asyncio.get_running_loop()
        self.is_open = True
        self._pool = pool
        self._held = pool._held
        self._begun = False
        self._ended = False
        self._queue: SimpleQueue[Callable[[], None] | None] = SimpleQueue()

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Let `leased` find it in the present context, and close it in the end."""
        token = _lease.set(self)
        try:
            yield
        finally:
            _lease.reset(token)
            self.close()

    def submit(self, call: Callable[[], None]) -> None:
        """Queue `call`, which must not raise, for the thread; called on the loop alone.

        Raises:
            PoolFull: The pool has no thread to begin with.
        """
        if not self._begun:
            self._pool.submit(self._work)
            self._begun = True
        self._queue.put(call)

    def tell_wait(self, label: str, waited: float) -> None:
        """Log that a call had to wait long for the thread, as the pool does."""
        self._pool.tell_wait(label, waited)

    def work_until(self, is_answered: Callable[[], bool]) -> None:
        """Called in the thread, by a call that waits: do what comes until it is answered."""
        while not is_answered():
            call = self._queue.get()
            if call is None:
                self._ended = True
            else:
                call()

    def wake(self) -> None:
        """Let `work_until` look again."""
        self._queue.put(_nothing)

    def close(self) -> None:
        """Let the thread go back to its pool once its calls have ended."""
        if self.is_open:
            self.is_open = False
            self._queue.put(None)

    def _work(self) -> None:
        me = threading.get_ident()
        self._held[me] = (self.label, monotonic())
        try:
            self.work_until(lambda: self._ended)
        finally:
            self._held.pop(me, None)


def _nothing() -> None:
    """Wake a thread."""


_lease: ContextVar[Lease | None] = ContextVar("demijohn_lease", default=None)


def leased(pool: Pool) -> Pool | Lease:
    """Return the thread that the running request keeps for itself, or the pool."""
    lease = _lease.get()
    if lease is None or not lease.is_open:
        return pool
    # A loop that was begun in the kept thread has it to itself: it would wait for what waits for it.
    return lease if lease.loop is asyncio.get_running_loop() else pool


class _Mailbox:
    """Carries calls from threads to one loop; many posts share one wake-up."""

    __slots__ = ("_calls", "_loop", "_woken")

    def __init__(self, loop: "asyncio.AbstractEventLoop") -> None:
        self._loop = loop
        self._calls: deque[Callable[[], None]] = deque()
        self._woken = False

    def post(self, call: Callable[[], None]) -> None:
        self._calls.append(call)
        if not self._woken:
            self._woken = True
            self._loop.call_soon_threadsafe(self._deliver)

    def _deliver(self) -> None:
        self._woken = False
        calls = self._calls
        while calls:
            calls.popleft()()


_mailboxes: "dict[int, tuple[asyncio.AbstractEventLoop, _Mailbox]]" = {}


def _mailbox(loop: "asyncio.AbstractEventLoop") -> _Mailbox:
    known = _mailboxes.get(id(loop))
    if known is not None and known[0] is loop:
        return known[1]
    for key, (old, _) in list(_mailboxes.items()):
        if old.is_closed():
            del _mailboxes[key]
    box = _Mailbox(loop)
    _mailboxes[id(loop)] = (loop, box)
    return box


_servant: ContextVar["Servant[Any] | None"] = ContextVar("demijohn_servant", default=None)


def find_servant() -> "Servant[Any] | None":
    """Return the servant of the calling worker thread, or None elsewhere."""
    servant = _servant.get()
    if servant is None or servant.thread != threading.get_ident():
        return None
    return servant


class Servant(Generic[T]):
    """One call in a worker thread, and the task that serves it."""

    __slots__ = (
        "_answered",
        "_box",
        "_context",
        "_error",
        "_function",
        "_label",
        "_lease",
        "_pool",
        "_reply",
        "_result",
        "_submitted",
        "_wanted",
        "_wish",
        "cancelled",
        "prepare",
        "thread",
    )

    def __init__(self, function: Callable[[], T] | None, loop: "asyncio.AbstractEventLoop", *, label: str = "") -> None:
        self._label = label
        self._pool: Pool | Lease | None = None
        self._lease: Lease | None = None
        self._answered = False
        self._submitted = 0.0
        self._function = function
        self._box = _mailbox(loop)
        self._context = copy_context()
        self._wanted: asyncio.Future[None] = loop.create_future()
        self._wish: Awaitable[Any] | None = None
        self._reply: threading.Lock | None = None
        self._result: Any = _UNSET
        self._error: BaseException | None = None
        self.cancelled = False
        self.prepare: Callable[[Awaitable[Any]], Awaitable[Any]] | None = None
        """What an awaitable goes through before it is awaited: a script's are driven."""
        self.thread = 0

    async def serve(self, pool: Pool | Lease) -> T:
        """Run the function in `pool` and await what it waits for, until it returns."""
        self._pool = pool
        if isinstance(pool, Lease):
            self._lease = pool
        self._submitted = monotonic()
        pool.submit(self._run)
        return await self.attend()

    async def attend(self) -> T:
        """Await what the thread waits for, until it is done."""
        try:
            while True:
                await self._wanted
                _bring_back(self._context)
                if self._wish is None:
                    break
                self._wanted = asyncio.get_running_loop().create_future()
                wish, self._wish = self._wish, None
                try:
                    answer = await (wish if self.prepare is None else self.prepare(wish))
                except BaseException as failure:
                    if isinstance(failure, asyncio.CancelledError) and _is_being_cancelled():
                        self.cancelled = True
                    self._answer(error=failure)
                    if isinstance(failure, KeyboardInterrupt | SystemExit):
                        raise
                else:
                    self._answer(result=answer)
        except asyncio.CancelledError:
            # The thread cannot be stopped. It keeps its place in the pool until it ends, and its next `wait` raises.
            self.cancelled = True
            raise
        error, result = self._error, self._result
        self._error = self._result = None
        if error is not None:
            raise error
        return cast("T", result)

    def wait(self, awaitable: Awaitable[Any]) -> Any:
        """Called in the thread: have the servant await, and return or raise its outcome (Any: of any awaitable)."""
        if self.cancelled:
            _discard(awaitable)
            raise asyncio.CancelledError
        reply = self._reply
        if reply is None:
            reply = self._reply = threading.Lock()
            reply.acquire()
        self._context = copy_context()
        self._answered = False
        self._wish = awaitable
        self._box.post(self._wake)
        if self._lease is None:
            reply.acquire()
        else:
            self._lease.work_until(lambda: self._answered)
        error, result = self._error, self._result
        self._error = self._result = None
        _bring_back(self._context)
        if error is not None:
            raise error
        return result

    @property
    def has_waited(self) -> bool:
        """Return whether the thread has waited for anything yet."""
        return self._reply is not None

    def enter(self) -> None:
        """Make the calling thread the one that is served."""
        self.thread = threading.get_ident()
        _servant.set(self)

    def leave(self) -> None:
        """Called in the thread that entered: let `attend` return."""
        _servant.set(None)
        self._context = copy_context()
        self._box.post(self._wake)

    def _answer(self, *, result: Any = None, error: BaseException | None = None) -> None:
        self._result, self._error = result, error
        self._context = copy_context()
        if self._lease is not None:
            self._answered = True
            self._lease.wake()
        elif self._reply is not None:
            self._reply.release()

    def _run(self) -> None:
        function, self._function = self._function, None
        context = self._context
        pool, me = self._pool, threading.get_ident()
        outer = None
        if pool is not None:
            now = monotonic()
            if now - self._submitted > _LONG_WAIT:
                pool.tell_wait(self._label, now - self._submitted)
            outer = pool._held.get(me)
            pool._held[me] = (self._label, now)
        try:
            if function is not None:
                self._result = context.run(self._enter_and_call, function)
        except BaseException as error:
            self._error = error
        del function
        if outer is not None and pool is not None:
            pool._held[me] = outer
        elif pool is not None:
            pool._held.pop(me, None)
        self._context = context
        self._box.post(self._wake)

    def _enter_and_call(self, function: Callable[[], T]) -> T:
        self.enter()
        return function()

    def _wake(self) -> None:
        if not self._wanted.done():
            self._wanted.set_result(None)
        elif self._reply is not None and self._wish is not None:
            # The servant was cancelled while the thread was posting: nobody will await this wish.
            wish, self._wish = self._wish, None
            _discard(wish)
            self._answer(error=asyncio.CancelledError())


def _bring_back(context: Context) -> None:
    """Set every variable that has another value in `context` in the present context."""
    for variable, value in context.items():
        if variable is not _servant and variable.get(_UNSET) is not value:
            variable.set(value)


def _is_being_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def run_in_thread(function: Callable[[], T], pool: Pool | Lease, *, label: str = "") -> T:
    """Run `function` in a thread of `pool`, in a copy of the context that is brought back, one hop.

    Within it, `wait_in_thread` awaits in the calling task. The label names the call where threads are short.

    Raises:
        PoolFull: As many calls as allowed are waiting for a thread.
    """
    return await Servant(function, asyncio.get_running_loop(), label=label).serve(pool)


def wait_in_thread(awaitable: Awaitable[T]) -> T:
    """Await from a worker thread: the calling thread's servant does it, in its own task.

    Raises:
        RuntimeError: This thread was not started by `run_in_thread`.
    """
    servant = find_servant()
    if servant is None:
        raise RuntimeError("This thread has no servant.")
    return cast("T", servant.wait(awaitable))


def _discard(awaitable: Awaitable[Any]) -> None:
    """Close a coroutine that nobody will await, so that it does not warn."""
    close = getattr(awaitable, "close", None)
    if close is not None:
        close()
