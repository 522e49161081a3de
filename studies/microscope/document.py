"""microscope.json as types, from which reports/microscope.schema.json is generated."""

from dataclasses import dataclass
from typing import Annotated, Any

from parity.kinds.convolution.flip import Flip
from parity.kinds.normalization.channels import Normalised
from parity.results import Data, Distance, Figure, Natural, Positive, Text, Time, Unrolled
from parity.schema import Later, Says

__all__ = ["AtLayer", "Document", "Model", "Scores", "TopTag", "Training", "Update", "Worth"]


@dataclass
class AtLayer(Distance):
    """Of a replaced step from the original's output, on the original's input; relative: its rms."""

    relative: Later[Figure]


@dataclass
class Scores(Distance):
    """Of the chain's scores from the original's."""

    finite: Later[bool]


@dataclass
class TopTag:
    """A clip's first tag on both sides; jaccard, tau: how alike the top k and the rankings are."""

    expected: Text
    actual: Text
    changed: bool
    k: Positive
    jaccard: Figure
    tau: Figure


@dataclass
class Worth:
    """What stock steps cost in place of the port's, from the first replaced layer, `start`, on."""

    drift: Text
    layers: Annotated[list[Text], Says(minItems=1)]
    start: Text
    at_layer: dict[str, AtLayer]
    final: Scores
    tags: list[TopTag]


@dataclass
class Model:
    """One model's layers looked into; clean: the port's own chain, to hold `worth` against."""

    name: Text
    data: Data
    gru: dict[str, Unrolled]
    batch_normalization: dict[str, Normalised]
    convolution: dict[str, Flip]
    clean: Distance
    worth: list[Worth]


Gaps = dict[str, dict[str, Figure]]  # side -> figure's name -> figure


@dataclass
class Update:
    """Each side's largest difference from the original's averages after one update."""

    update: Positive
    sides: Gaps


@dataclass
class Training:
    """The train phase of batch normalisation under one Keras; sides: the worst over all updates."""

    keras: Text
    momentum: float
    shape: list[Natural]
    updates: list[Update]
    sides: Gaps
    rho_original: Figure


@dataclass
class Document:
    """What `parity microscope` measured of recurrent layers, batch normalisation and convolution.
    port: the module:function that made the port.
    """

    format: Annotated[int, Says(const=1)]
    data: Data
    created: Time
    command: str
    environment: dict[str, Any]
    port: Later[str]
    models: list[Model]
    train_phase: list[Training]
