"""What a type means as data: fields, validation with every error, JSON, MessagePack and YAML.

```python
from typing import Annotated

import msgspec
from demijohn.schema import Field, json_decoder

class Item(msgspec.Struct):
    name: Annotated[str, Field(label="Name", min_length=1, max_length=40)]
    price: Annotated[int, Field(ge=0)] = 0

read = json_decoder(Item)
assert read(b'{"name": "Cup"}') == Item("Cup", 0)
```
"""

from demijohn.errors import FieldError
from demijohn.schema.custom import register_decoder, register_encoder
from demijohn.schema.decoding import convert, converter, json_decoder, msgpack_decoder, shape_of, yaml_decoder
from demijohn.schema.encoding import NotEncodable, to_builtins, to_json, to_msgpack, to_yaml
from demijohn.schema.field import Field
from demijohn.schema.formats import register_format
from demijohn.schema.messages import MESSAGES, field_error
from demijohn.schema.reading import field_of, fields_of, has_fields, register_reader

__all__ = [
    "MESSAGES",
    "Field",
    "FieldError",
    "NotEncodable",
    "convert",
    "converter",
    "field_error",
    "field_of",
    "fields_of",
    "has_fields",
    "json_decoder",
    "msgpack_decoder",
    "register_decoder",
    "register_encoder",
    "register_format",
    "register_reader",
    "shape_of",
    "to_builtins",
    "to_json",
    "to_msgpack",
    "to_yaml",
    "yaml_decoder",
]
