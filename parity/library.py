"""`parity.prove`: the whole proof as one call in Python, and the pytest plugin's way in."""

import json
from collections.abc import Iterable, Mapping, Sequence
from io import StringIO
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from parity import originals, run
from parity.document import to_json
from parity.errors import CannotRun
from parity.model import Case
from parity.port_names import named
from parity.ports import OURS
from parity.processes import scratch
from parity.project import allowing
from parity.project import layers_of as layers_asked
from parity.reports import (
    Record,
    figures,
    message,
    publish,
    summary,
    table,
    terminal,
    verdicts,
)
from parity.results import HELD

if TYPE_CHECKING:
    import pandas

__all__ = ["Layer", "Result", "prove"]

Input = np.ndarray[Any, Any] | str | PathLike[str]


def prove(
    original: str | PathLike[str],
    port: Any = None,
    inputs: Input | Sequence[Input] = (),
    *,
    weights: str | PathLike[str] | None = None,
    keras: str | None = None,
    custom: str | PathLike[str] | None = None,
    names: Mapping[str, str] | None = None,
    fused: Mapping[str, str] | None = None,
    layers: Iterable[str] = (),
    allow_transform: Iterable[str] = (),
    workers: int = 2,
    seed: int | None = None,
) -> "Result":
    """Prove a port of a Keras 1 model, layer by layer.

    Keras itself runs the original, in an environment of its own, the first time that it is asked
    for these weights and inputs. The port is judged in this process.

    Parameters
    ----------
    original : path
        What `model.to_json()` returned, a file of `model.save`, or "FILE.py:FUNCTION", a function
        without arguments that returns the model.
    port : object, optional
        "module:function" or "command: COMMAND", both in a process of their own; or, trusted, a
        mapping of layer names to callables of arrays, a `chainer.Chain`, a `torch.nn.Module`, or an
        object as `parity.port_api.Port`. By default the Chainer port that is built for the model.
    inputs : array or path, or several
        One for each input of the model, in their order: float32, or integers for an Embedding;
        samples first. A path is that of an .npy.
    weights : path, optional
        A file of `model.save_weights`, where `original` holds none.
    keras : str, optional
        The release to run the original on, by default what the files say.
    custom : path, optional
        A Python file with the classes and functions that the model needs.
    names : mapping, optional
        {layer of the original: what the port calls it}, where the two differ; several of the port
        with + between them run in a row.
    fused : mapping, optional
        {"conv1+bn1+relu1": what the port calls the one that computes them}.
    layers : iterable of str, optional
        Judge these alone.
    allow_transform : iterable of str, optional
        Layers that the port may convolve by way of FFT or Winograd.
    workers : int
        Recorders side by side.
    seed : int, optional
        Of the random probes, by default another one each time.

    Returns
    -------
    Result

    Raises
    ------
    parity.errors.CannotRun
        Where the proof could not be made; the message says what, where and what to do.

    Examples
    --------
    >>> found = parity.prove("net.json", {"dense": f}, x, weights="net.h5")  # doctest: +SKIP
    >>> found.holds, found.worst  # doctest: +SKIP
    (False, <net / dense: FORMULA(bias left out)>)
    """
    given = [inputs] if isinstance(inputs, (np.ndarray, str, PathLike)) else [*inputs]
    with scratch() as folder:
        case = originals.case_of(
            str(original),
            weights,
            [_file(folder, at, each) for at, each in enumerate(given)],
            keras=keras,
            custom=None if custom is None else str(custom),
        )
        (case,) = allowing([case], allow_transform)
        if names or fused:
            case = named(case, names or {}, fused or {}, "prove")
        return Result(document_of([case], port, layers, workers=workers, seed=seed))


def document_of(
    cases: Sequence[Case], port: Any = None, layers: Iterable[str] = (), **more: Any
) -> Record:
    """What parity.json would hold of some cases; more : of parity.run.run."""
    found = run.run(
        cases,
        port=OURS if port is None else port,
        layers=layers_asked(cases, layers),
        here=True,
        command="parity.prove(...)",
        **more,
    )
    record: Record = json.loads(to_json(found))
    return record


def _file(folder: Path, at: int, given: Input) -> Path:
    """The path of an input."""
    if not isinstance(given, np.ndarray):
        return Path(given)
    path = folder / f"input{at}.npy"
    np.save(path, given)
    return path


class Layer:
    """What was found of one layer. `str` of it tells all: how far off, worst where, and why.

    Attributes
    ----------
    model, name : str
    holds : bool
        Alone, in the chain, and to probes where it was asked.
    verdict : str
        The first of those that does not hold, else that of the layer alone.
    rho : float or None
        The largest share of rounding's allowance that it used.
    cause : str
        The formula that explains a layer which does not hold; "" where none is known.
    record : dict
        All that parity.json says of it.
    """

    def __init__(self, model: Record, record: Record) -> None:
        self._model, self._beside = {**model, "layers": [record]}, list[str]()
        self.record, self.model, self.name = record, str(model["name"]), str(record["name"])
        self.holds = not verdicts.fails(record)
        cells = [*summary.cells_of(self._model), *summary.probed(self._model)]
        self._wrong = [cell for cell in cells if not cell.holds and cell.verdict != "NOT PROBED"]
        self.verdict = str([*self._wrong, *cells][0].verdict)
        asked = record.get("probed") or {}
        self.cause = verdicts.cause_name(record) or asked.get("cause") or ""
        shares = [figures.number(record[mode][key]) for mode, key in summary.RHO.items()]
        self.rho = max((share for share in shares if share is not None), default=None)

    def __str__(self) -> str:
        cells = self._wrong or summary.cells_of(self._model)[:1]
        told = [message.cell_message(*cell) for cell in cells]
        return "\n".join([*told, *self._beside])

    def blame(self, text: str) -> None:
        """Let it fail for something beside itself."""
        self.holds, self._beside = False, [*self._beside, text]

    def check(self) -> None:
        """Raise AssertionError with all that is known, where it does not hold."""
        if not self.holds:
            raise AssertionError(str(self))

    def __repr__(self) -> str:
        return f"<{self.model} / {self.name}: {self.verdict}>"


class Result:
    """What a proof found. `str` of it is what `parity run` prints.

    Attributes
    ----------
    holds : bool
        Whether every layer, the scores at the end and the call as a whole hold.
    verdict : str
        HOLDS, DRIFTS or INCOMPLETE.
    layers : dict
        {name: Layer} in network order.
    worst : Layer or None
        The one of the gravest verdict and, among equals, of the largest share of rounding's
        allowance.
    document : dict
        All of it, as parity.json has it.
    """

    def __init__(self, document: Record) -> None:
        self.document, self.verdict = document, str(document["verdict"])
        self.holds = self.verdict == HELD
        (model,) = document["models"]
        self.layers = {layer.name: layer for layer in layers_of(document)}
        worst = model["worst"]
        self.worst = worst and self.layers[worst["layer"]]

    def to_frame(self) -> "pandas.DataFrame":
        """A table with a row for each layer and mode, as parity.csv. Raises CannotRun without
        pandas.
        """
        try:
            return table.frame(self.document)
        except ImportError as error:
            raise CannotRun("a frame needs pandas, which is not here; install it") from error

    def save(self, folder: str | PathLike[str]) -> None:
        """Write parity.json, parity.csv, junit.xml and parity.html into a folder. Raises CannotRun
        where one cannot be written.
        """
        out = Path(folder)
        publish.everything(out / "parity.json", out, StringIO(), to_json(self.document))

    def __str__(self) -> str:
        return terminal.text(self.document)

    def __repr__(self) -> str:
        return f"<{summary.verdict_sentence(self.document)}>"


def layers_of(document: Record) -> list[Layer]:
    """Every layer of every model."""
    return [Layer(model, each) for model in document["models"] for each in model["layers"]]


def tested(document: Record, declared: Mapping[str, Sequence[str]]) -> dict[tuple[str, str], Layer]:
    """{(model, layer): Layer} of the declared layers. What fails beside them fails the last of
    their model: a layer that the port alone has, the scores at the end, the call as a whole.
    """
    every = {(layer.model, layer.name): layer for layer in layers_of(document)}
    found = {(model, name): every[model, name] for model in declared for name in declared[model]}
    for model in document["models"]:
        last = found[model["name"], declared[model["name"]][-1]]
        others = [layer for key, layer in every.items() if key not in found]
        strange = [str(layer) for layer in others if layer.model == last.model and not layer.holds]
        end = summary.final_fault(model)
        for text in [*strange, *([f"{last.model} (end to end): {end}"] if end else [])]:
            last.blame(text)
    return found
