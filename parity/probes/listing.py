"""What probes found, in lines of text."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from parity.errors import CannotRun
from parity.probes.asking import RIGHT
from parity.probes.proof import Proof
from parity.results import Probed, Read


def lines(proof: Proof) -> Iterator[str]:
    """One line a layer, then what they add up to."""
    width = max(map(len, proof.layers), default=0)
    for name, found in proof.layers.items():
        yield f"{proof.model:6}  {name:{width}}  {told(found)}"
    if proof.call:
        yield f"{proof.model:6}  {proof.call}"
    yield f"{proof.model:6}  {summary(proof)}"


def told(found: Probed) -> str:
    """A layer in one line: its verdict, and what was read back or is wrong."""
    asked = sum(each.probes for each in found.asked)
    answers = sum(each.answers for each in found.asked)
    parts = [found.verdict]
    if found.message:
        parts.append(found.message)
    if found.cause and found.cause not in found.verdict:
        parts.append(found.cause)
    if found.form:
        parts.append(f"in another form: {found.form}")
    if asked and found.verdict in RIGHT:
        parts.append(f"{answers:,} answers to {asked} questions")
        parts += [read_back(each) for each in found.read]
    return "; ".join(parts)


def read_back(read: Read) -> str:
    """What was read back of one parameter."""
    if read.sha256:
        return f"{read.name} {read.equal:,} of {read.count:,} bit for bit"
    worst = "" if read.worst_u is None else f", to {read.worst_u:.2g} u"
    return f"{read.name} {read.within:,} of {read.count:,} as near as float32 shows{worst}"


def summary(proof: Proof) -> str:
    """Layers and weights in one sentence."""
    found = proof.summary()
    said = f"{found.proved} of {found.layers} layers compute the original's function"
    if found.weights:
        said += f"; {found.read:,} of {found.weights:,} weights read back bit for bit"
    if proof.not_probed:
        said += f"; not probed: {', '.join(proof.not_probed)}"
    return said


def changes(before: Path, now: dict[str, Any]) -> list[str]:
    """What answers otherwise than in another probes.json. Raises CannotRun."""
    try:
        document = json.loads(before.read_text(encoding="utf-8"))
        old = {each["name"]: each["layers"] for each in document["models"]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CannotRun(f"{before}: no probes.json of `parity probe` ({error})") from error
    found = []
    for model in now["models"]:
        was = old.get(model["name"], {})
        for name, layer in model["layers"].items():
            digests, earlier = _digests(layer), _digests(was.get(name, {"read": []}))
            for what in sorted(digests.keys() | earlier.keys()):
                if digests.get(what) != earlier.get(what):
                    found.append(f"{model['name']:6}  {name}: {what} is another than in {before}")
    return found or [f"every weight that can be read exactly is the same as in {before}"]


def _digests(layer: dict[str, Any]) -> dict[str, str]:
    return {each["name"]: each["sha256"] for each in layer["read"] if each["sha256"]}
