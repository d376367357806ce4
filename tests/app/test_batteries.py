"""How batteries get into an app: order, needs, and what waits for another."""

from typing import Any

from demijohn import App, Settings


class Part:
    """A battery that notes its installation and may need others while it is installed."""

    def __init__(self, name: str, log: list[str], requires: tuple[str, ...] = (), needs: tuple[str, ...] = ()) -> None:
        self.name = name
        self.requires = requires
        self._log = log
        self._needs = needs

    def install(self, app: Any) -> None:
        for name in self._needs:
            app.need(name)
        self._log.append(self.name)


def make_app() -> App:
    return App(settings=Settings.load({}, files=(), env="test"))


def test_what_is_required_comes_first() -> None:
    """The order of `app.use` does not matter."""
    app, log = make_app(), []
    app.use(Part("top", log, requires=("middle",)))
    app.use(Part("middle", log, requires=("base",)))
    app.use(Part("base", log))
    assert log == ["base", "middle", "top"]


def test_a_battery_that_is_needed_while_another_is_installed_is_installed_once() -> None:
    """Two batteries wait for a third; the first to come installs the second, which is not done again."""
    app, log = make_app(), []
    app.use(Part("first", log, requires=("base",), needs=("templating",)))
    app.use(Part("second", log, requires=("base",)))
    app.use(Part("base", log))
    assert sorted(log) == ["base", "first", "second"]


def test_who_waits_for_another_is_told_once() -> None:
    """`when` calls as soon as the battery is there, at once where it is there already, and never without it."""
    app, log = make_app(), []
    seen: list[str] = []
    app.when("base", lambda battery: seen.append(battery.name))
    app.when("never", lambda battery: seen.append("never"))
    assert seen == []
    app.use(Part("base", log))
    app.when("base", lambda battery: seen.append("later"))
    app.freeze()
    assert seen == ["base", "later"]
