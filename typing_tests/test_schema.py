"""The types that a checker sees for reading and writing."""

from collections.abc import Callable

import msgspec

from demijohn.schema import Field, convert, converter, fields_of, json_decoder, to_json


class Item(msgspec.Struct):
    name: str


def check_readers() -> None:
    from typing import assert_type

    assert_type(json_decoder(Item), Callable[[bytes], Item])
    assert_type(converter(Item, text=True), Callable[[object], Item])
    assert_type(convert({"name": "x"}, Item), Item)
    assert_type(to_json(Item("x")), bytes)
    assert_type(fields_of(Item), dict[str, Field])
