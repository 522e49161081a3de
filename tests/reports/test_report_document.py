"""What parity.json has to be: its schema refuses each missing name and each contradiction, in one
sentence.
"""

import json

import pytest

from parity.reports import document
from parity.reports.document import ReportError
from tests.reports import factory

SCHEMA = json.loads((document.FOLDER / document.PARITY.schema).read_text(encoding="utf-8"))


PLACES = {"layers": 3}  # of a list: the record in which everything is there


def _required(schema=SCHEMA, record=None, path=()):
    """Every name the schema requires, with the path of a record that has to have it."""
    record = _full() if record is None else record
    schema = SCHEMA["$defs"][schema["$ref"].split("/")[-1]] if "$ref" in schema else schema
    if isinstance(record, dict):
        yield from ((path, name) for name in schema.get("required", ()))
        for name, inner in schema.get("properties", {}).items():
            if name in record:
                yield from _required(inner, record[name], (*path, name))
    elif isinstance(record, list) and record:
        at = PLACES.get(path[-1], 0)
        yield from _required(schema.get("items", {}), record[at], (*path, at))


def _full():
    """A valid document in which every record that may be null is there."""
    whole = factory.failing()
    whole["models"][0]["layers"][3]["isolated"]["structure"] = {
        "structured": True,
    }
    return whole


def _at(record, path):
    for step in path:
        record = record[step]
    return record


@pytest.mark.parametrize("make", factory.EVERY.values(), ids=factory.EVERY)
def test_schema_accepts_every_kind_of_run(make):
    document.validate(make())


def test_the_full_document_is_valid():
    document.validate(_full())


def test_schema_is_itself_valid_and_draft_2020_12():
    from jsonschema import Draft202012Validator

    assert SCHEMA["$schema"] == Draft202012Validator.META_SCHEMA["$id"]
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize(
    ("path", "name"),
    _required(),
    ids=lambda part: part if isinstance(part, str) else "-".join(map(str, part)) or "top",
)
def test_each_required_name_is_missed(path, name):
    whole = _full()
    del _at(whole, path)[name]
    with pytest.raises(ReportError, match=f"lacks '{name}'"):
        document.validate(whole)


@pytest.mark.parametrize("name", ["verdict", "data", "created", "command", "environment", "models"])
def test_contract_names_of_the_architecture_are_required(name):
    assert name in SCHEMA["required"]


SPOILT = factory.cases(r"""
unknown verdict | models/0/layers/0/isolated/verdict | "FINE" | models / CRNN / layers / bn_0_freq / isolated / verdict is 'FINE'
formula without a name | models/0/layers/0/isolated/verdict | "FORMULA()" | is 'FORMULA\(\)'
inherited alone | models/0/layers/0/isolated/verdict | "INHERITED" | is 'INHERITED'
number as text | models/0/layers/0/isolated/rho_port | "0.4" | rho_port is '0.4', expected a number
infinity misspelt | models/0/layers/0/isolated/q_port | "Infinity" | q_port is 'Infinity'
share above one | models/0/layers/0/isolated/beyond_share | 1.5 | beyond_share is 1.5
passing without a number | models/0/layers/0/isolated/rho_port | null | rho_port is None, expected number
passing with nan | models/0/layers/0/chained/max_abs | "nan" | max_abs is 'nan', expected number
digest cut | models/0/weights/sha256 | "abc" | sha256 is 'abc'
batch of none | models/0/batch_size | 0 | batch_size is 0
another closer | models/0/layers/0/closer | "nobody" | closer is 'nobody', expected one of port, reference, equal, None
date in words | created | "yesterday" | created is 'yesterday'
holds with a gross cell | models/0/layers/0/chained/verdict | "GROSS" | verdict is 'GROSS', expected one of EXACT, ROUNDING
holds with a divergence | models/0/first_divergence | "conv1" | first_divergence is 'conv1'
holds with a drifting model | models/0/verdict | "DRIFTS" | verdict is 'DRIFTS', expected 'HOLDS'
holds with nothing | models | [] | models is \[\]
holds without layers | models/0/layers | [] | layers is \[\]
same model twice | models/1/name | "CRNN" | the run lists 'CRNN' twice
same layer twice | models/0/layers/1/name | "bn_0_freq" | CRNN lists 'bn_0_freq' twice
""")


@pytest.mark.parametrize(("path", "value", "says"), SPOILT.values(), ids=SPOILT)
def test_contradictions_are_refused_by_name(path, value, says):
    with pytest.raises(ReportError, match=says) as refused:
        document.validate(factory.changed(path, value))
    assert "\n" not in str(refused.value) and len(str(refused.value)) < 400


def test_later_keys_are_welcome():
    document.validate(factory.document(kill_table=[], selection=None))


def test_read_returns_what_was_written(tmp_path):
    path = tmp_path / "parity.json"
    path.write_text(json.dumps(factory.failing(), ensure_ascii=False), encoding="utf-8")
    assert document.read(path) == factory.failing()


WHOLE = json.dumps(factory.document())
BROKEN = {
    "cut short": (WHOLE[: len(WHOLE) // 2].encode(), "is cut short or is not JSON"),
    "empty": (b"", "is empty"),
    "another format": (json.dumps(factory.document(format=2)).encode(), "has format 2, expected 1"),
    "true is no format": (
        json.dumps(factory.document(format=True)).encode(),
        "has format True, expected 1",
    ),
    "no format": (b"{}", "has no format number, expected 1"),
    "a list": (b"[]", "has no format number, expected 1"),
    "bare NaN": (WHOLE.replace("0.4237", "NaN").encode(), "NaN is not a JSON number"),
    "not text": (b"\xff\xfe\x00", "is not UTF-8 text"),
    "schema broken": (WHOLE.replace('"ROUNDING"', '"FINE"').encode(), "verdict is 'FINE'"),
    "too deep": (b"[" * 100_000, "is not usable JSON"),
}


@pytest.mark.parametrize(("data", "says"), BROKEN.values(), ids=BROKEN)
def test_each_bad_file_gets_its_sentence(tmp_path, data, says):
    path = tmp_path / "parity.json"
    path.write_bytes(data)
    with pytest.raises(ReportError, match=says) as refused:
        document.read(path)
    assert (
        str(refused.value).startswith(f"{path}: ")
        and "make parity" in str(refused.value)
        and "\n" not in str(refused.value)
    )


@pytest.mark.parametrize("name", ["absent.json", "."])
def test_a_missing_file_gets_its_sentence(tmp_path, name):
    with pytest.raises(ReportError, match=r"cannot be read .*run make parity first"):
        document.read(tmp_path / name)
