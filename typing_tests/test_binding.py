"""The types that a checker sees for markers, services and dependencies."""

from typing import Annotated, assert_type

from demijohn import App, Body, Depends, Fields, Header, Query, current
from demijohn.app import HandlerParameter, ServiceScope


class Engine: ...


def get_engine() -> Engine:
    return Engine()


app = App()


@app.get("/{id:int}")
async def show(
    id: int,  # noqa: A002
    page: Annotated[int, Query(ge=1, le=100)],
    agent: Annotated[str, Header("User-Agent")],
    body: Annotated[dict[str, int], Body(include=["a"])],
    names: Annotated[list[str], Fields("a", "b")],
    engine: Engine = Depends(get_engine),  # noqa: B008
) -> dict[str, int]:
    assert_type(engine, Engine)
    assert_type(current.get(Engine), Engine)
    assert_type(await current.resolve(Engine), Engine)
    return {"id": id}


async def use(scope: ServiceScope, parameter: HandlerParameter) -> None:
    assert_type(await scope.get(Engine), Engine)
    assert_type(scope.get_now(Engine), Engine)
    assert_type(parameter.find(Fields), Fields | None)


app.provide(Engine)
app.provide(Engine, get_engine, scope="app")
app.provide(get_engine)
with app.override(Engine, get_engine) as nothing:
    assert_type(nothing, None)
