"""JSON schemas generated from dataclasses: what a document holds is written once, as its types.

`python -m parity.schema` verifies the schemas that the reports read; `--write` writes them anew.
"""

import importlib
import json
import sys
import types
from dataclasses import fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from parity import room

__all__ = ["Later", "Says", "schema_of", "typed"]

T = TypeVar("T")
Schema = dict[str, Any]
DIALECT = "https://json-schema.org/draft/2020-12/schema"
PROMISE = "Names that stand here stay; later versions may add some."
# schema file's name -> the dataclass of its whole document
DOCUMENTS = {
    "parity": "parity.results:Run",
    "corpus": "parity.corpus.figures:Corpus",
    "faults": "parity.faults.run:Faults",
    "probes": "parity.probes.document:ProbeRun",
    "microscope": "parity.studies.microscope.document:Document",
    "investigation": "parity.studies.unstable_cnn.document:Investigation",
}
LATER = "not required: documents of earlier versions lack it"
# A field that was added after format 1 was first written, so that earlier documents stay valid.
Later = Annotated[T, LATER]
WIDTH = 100
PRIMITIVE = {str: "string", int: "integer", float: "number", bool: "boolean", type(None): "null"}


class Says:
    """Marks an annotated type with keywords of JSON schema. Where it has a name they stand under
    $defs by that name, and are all that is said of the type.
    """

    def __init__(self, name: str = "", /, **keywords: Any) -> None:
        self.name, self.keywords = name, keywords


def schema_of(document: type, title: str) -> Schema:
    """The JSON schema of a document.

    A field's type says what it holds; its `Annotated` marks add keywords (`Says`) or make it
    optional (`Later`). A class' docstring describes it. Its class
    variable `required` may list the required names instead, and `rules` is added as it stands.

    Parameters
    ----------
    document : type
        The dataclass of the whole document.
    title : str
        The schema's title.

    Returns
    -------
    dict
        Draft 2020-12, ready for `json.dumps`.

    Examples
    --------
    >>> @dataclass
    ... class Clip:
    ...     '''One clip.'''
    ...     name: str
    ...     sha256: Later[str | None] = None
    >>> schema_of(Clip, "clip.json")["required"]
    ['name']
    """
    defs: Schema = {}
    body = _object(document, defs)
    about = f"{body.pop('description')} {PROMISE}"
    head = {"$schema": DIALECT, "title": title, "description": about}
    return head | body | {"$defs": dict(sorted(defs.items()))}


def _object(cls: type, defs: Schema, kind: Any = "object") -> Schema:
    hints = get_type_hints(cls, include_extras=True)
    hints = {field.name: hints[field.name] for field in fields(cls)}
    always = [name for name, hint in hints.items() if LATER not in _marks(hint)]
    required = getattr(cls, "required", always)
    return {
        "description": " ".join((cls.__doc__ or "").split()),
        "type": kind,
        **({"required": required} if required else {}),
        "properties": {name: _schema(hint, defs) for name, hint in hints.items()},
        **getattr(cls, "rules", {}),
    }


def _marks(hint: Any) -> tuple[Any, ...]:
    return getattr(hint, "__metadata__", ())


def _schema(hint: Any, defs: Schema, optional: bool = False) -> Schema:
    """The schema of one type; optional: null is valid too."""
    origin, of = get_origin(hint), get_args(hint)
    if origin is Annotated:
        said = [mark for mark in _marks(hint) if isinstance(mark, Says)]
        found: Schema = {}
        for mark in said:
            if mark.name:
                defs[mark.name] = mark.keywords
                found = {"$ref": f"#/$defs/{mark.name}"}
        found = found or _schema(of[0], defs, optional)
        return found | {k: v for mark in said if not mark.name for k, v in mark.keywords.items()}
    if origin in (Union, types.UnionType):
        several = [each for each in of if each is not type(None)]
        optional |= len(several) < len(of)
        if len(several) == 1:
            return _schema(several[0], defs, optional)
        return {"anyOf": [_schema(each, defs) for each in several] + [{"type": "null"}] * optional}
    if is_dataclass(hint):
        return _reference(hint, defs, optional)
    if origin is Literal:
        return {"enum": [*of, None] if optional else [*of]}
    if hint is Any:
        return {}
    kind = {list: "array", dict: "object"}.get(origin or hint) or PRIMITIVE[hint]
    found = {"type": [kind, "null"] if optional else kind}
    if of and of[-1] is not Any:
        found["items" if kind == "array" else "additionalProperties"] = _schema(of[-1], defs)
    return found


def _reference(cls: Any, defs: Schema, optional: bool) -> Schema:
    """A reference to the schema of a dataclass, which is put under $defs."""
    name = "".join(f"_{c.lower()}" if c.isupper() else c for c in cls.__name__).strip("_")
    name += "_or_null" if optional else ""
    if name not in defs:
        defs[name] = {}  # taken, before its own fields are looked at
        defs[name] = _object(cls, defs, ["object", "null"] if optional else "object")
    return {"$ref": f"#/$defs/{name}"}


def typed(hint: Any, value: Any) -> Any:
    """A JSON value as its type has it: objects become dataclasses, with defaults or None for what
    they lack; figures that JSON writes as words become floats.
    """
    origin, of = get_origin(hint), [each for each in get_args(hint) if each is not type(None)]
    if value is None:
        return None
    if origin in (Union, types.UnionType):
        fits = [each for each in of if is_dataclass(each) == isinstance(value, dict)]
        return typed(fits[0], value) if fits else value
    if is_dataclass(hint):
        cls: Any = hint
        given = {}
        for each in fields(cls):
            if each.name in value or each.default is each.default_factory:  # none of both is there
                given[each.name] = typed(_hints(cls)[each.name], value.get(each.name))
        return cls(**given)
    if origin is list:
        return [typed(of[0], each) for each in value]
    if origin is dict:
        return {key: typed(of[1], each) for key, each in value.items()}
    return float(value) if hint is float else value


_hints = cache(get_type_hints)


def files() -> dict[Path, str]:
    """The path of every schema and the text that its types say."""
    made = {}
    for name, where in DOCUMENTS.items():
        module, _, cls = where.partition(":")
        schema = schema_of(getattr(importlib.import_module(module), cls), f"{name}.json, format 1")
        made[room("reports") / f"{name}.schema.json"] = _text(schema) + "\n"
    return made


def _text(value: Any, indent: int = 0, before: int = 0) -> str:
    """JSON, a line for each member of what does not fit one; before: what its line holds."""
    flat = json.dumps(value, ensure_ascii=False)
    if before + len(flat) < WIDTH or not isinstance(value, (dict, list)):
        return flat
    deeper, (opening, closing) = indent + 2, "{}" if isinstance(value, dict) else "[]"
    members = value.items() if isinstance(value, dict) else [("", each) for each in value]
    heads = [" " * deeper + (f"{json.dumps(key)}: " if key else "") for key, _ in members]
    lines = [
        head + _text(each, deeper, len(head))
        for head, (_, each) in zip(heads, members, strict=True)
    ]
    return "\n".join([opening, ",\n".join(lines), " " * indent + closing])


def main(write: bool) -> int:
    stale = [p for p, text in files().items() if not p.exists() or p.read_text("utf-8") != text]
    for path in stale:
        if write:
            path.write_text(files()[path], encoding="utf-8")
        print(f"{path.name}: {'written' if write else 'not what the types say; --write writes it'}")
    return 0 if write or not stale else 1


if __name__ == "__main__":
    from parity import schema  # not __main__, whose `Says` no type was marked with

    sys.exit(schema.main("--write" in sys.argv[1:]))
