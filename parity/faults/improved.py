"""What the project improved: the formulas of the port published in 2018, planted into ours, found
out and measured.
"""

from typing import NamedTuple

from parity.compare import verdict
from parity.faults.blame import Broken, divided
from parity.faults.trial import cause_of, judged, original, output_of, sound_chain
from parity.port.stock import replacements
from parity.port_api import answer
from parity.ports.callables import Replaced

PUBLISHED = "published BatchNormalization"  # of parity.port.stock.DRIFTS
WHAT = (
    "Chainer's batch normalisation as the port published in 2018 has it: sqrt(std^2 + 2e-5), "
    "in the first layer of CNN0 and CNN 1e-5"
)
FIELDS = ("space", "drift", "sound_drift", "final", "sound_final")


class Improvement(NamedTuple):
    """A model whose batch normalisations all are the published port's; `layer` is the first of
    them.
    """

    model: str
    layer: str = "bn_0_freq"
    kind: str = "published port"
    cause: str = "see the record"

    @property
    def id(self):
        return f"{self.model}-published-port"


IMPROVED = (Improvement("CRNN"), Improvement("CNN0"), Improvement("CNN"))


def measured(improvement, case, path, clean):
    """The record of one Improvement; `clean` as trial.tried takes it.

    Returns {id, model, what, layers: [{layer, verdict, cause, share, energy}] of those that do not
    hold, holds: the names of those that do, space, drift, sound_drift, final, sound_final (as
    blame.divided, None without an end), message}.
    """
    there = original(case, path)
    published = replacements(there.model, there.weights, there.keras)[PUBLISHED]
    port = Replaced(there.port(), published)
    try:
        end, message = divided(sound_chain(case, path), port), None
    except Broken as why:
        end, message = {"layers": {}}, str(why)
    layers = [_layer(there, name, port, end["layers"].get(name, {})) for name in published]
    blamed = [layer for layer in layers if not verdict.holds(layer["verdict"])]
    return {
        "id": improvement.id,
        "model": there.model,
        "what": WHAT,
        "layers": blamed,
        "holds": [layer["layer"] for layer in layers if verdict.holds(layer["verdict"])],
        **{field: end.get(field) for field in FIELDS},
        "message": message,
    }


def _layer(there, name, port, share):
    given = output_of(answer(port, name, there.input_of(name)))
    word, _ = judged(there, name, given)
    return {
        "layer": name,
        "verdict": word,
        "cause": None if verdict.holds(word) else cause_of(there, name, given),
        "share": share.get("share"),
        "energy": share.get("energy"),
    }
