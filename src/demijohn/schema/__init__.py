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
from demijohn.schema.records import Choice, Choices, Records, Relation, has_records, records_of, register_records

__all__ = [
    "MESSAGES",
    "Choice",
    "Choices",
    "Field",
    "FieldError",
    "NotEncodable",
    "Records",
    "Relation",
    "convert",
    "converter",
    "field_error",
    "field_of",
    "fields_of",
    "has_fields",
    "has_records",
    "json_decoder",
    "msgpack_decoder",
    "records_of",
    "register_decoder",
    "register_encoder",
    "register_format",
    "register_reader",
    "register_records",
    "shape_of",
    "to_builtins",
    "to_json",
    "to_msgpack",
    "to_yaml",
    "yaml_decoder",
]
