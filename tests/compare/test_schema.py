"""The schemas that the reports read are what the types say."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

import pytest

from parity import schema
from parity.schema import Later, Says, schema_of


@dataclass
class Inner:
    """A part."""

    size: Annotated[float | None, Says("size", type=["number", "null"], minimum=0)]


@dataclass
class Whole:
    """All of it."""

    name: Annotated[str, Says(minLength=1)]
    part: Inner
    maybe: Inner | None
    parts: dict[str, list[Inner]]
    side: Literal["port", "original"] | None
    several: Annotated[Inner | str, Says(title="a part or its name")]
    anything: Later[Any] = None


@pytest.mark.parametrize("path", schema.files(), ids=lambda path: path.name)
def test_a_committed_schema_is_what_its_types_say(path):
    assert path.read_text(encoding="utf-8") == schema.files()[path], (
        "write it: python -m parity.schema --write"
    )


def test_a_field_is_a_property_of_its_type():
    found = schema_of(Whole, "whole.json")
    assert found["description"].startswith("All of it. ") and found["type"] == "object"
    assert found["required"] == ["name", "part", "maybe", "parts", "side", "several"]
    assert found["properties"] == {
        "name": {"type": "string", "minLength": 1},
        "part": {"$ref": "#/$defs/inner"},
        "maybe": {"$ref": "#/$defs/inner_or_null"},
        "parts": {
            "type": "object",
            "additionalProperties": {"type": "array", "items": {"$ref": "#/$defs/inner"}},
        },
        "side": {"enum": ["port", "original", None]},
        "several": {
            "anyOf": [{"$ref": "#/$defs/inner"}, {"type": "string"}],
            "title": "a part or its name",
        },
        "anything": {},
    }
    inner = {
        "description": "A part.",
        "type": "object",
        "required": ["size"],
        "properties": {"size": {"$ref": "#/$defs/size"}},
    }
    assert found["$defs"] == {
        "inner": inner,
        "inner_or_null": {**inner, "type": ["object", "null"]},
        "size": {"type": ["number", "null"], "minimum": 0},
    }


def test_verifying_fails_on_a_stale_schema_and_writing_mends_it(tmp_path, monkeypatch, capsys):
    path = tmp_path / "parity.schema.json"
    path.write_text("{}")
    monkeypatch.setattr(schema, "room", lambda name: tmp_path)
    assert schema.main(write=False) == 1 and "--write" in capsys.readouterr().out
    assert schema.main(write=True) == 0 and schema.main(write=False) == 0
