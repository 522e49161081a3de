"""A tagger that is an ONNX file of `parity rescue`: onnxruntime runs it, without Chainer."""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np

from parity import untrusted
from parity.errors import visible
from parity.files import FilePath
from parity.fixtures import store
from parity.fixtures.tags import OF_COUNT
from parity.port.architectures import MODELS, architecture_of
from tagger import corrections
from tagger.model import SCALE, Tagger

SUFFIX, HOLDS = ".onnx", "HOLDS"
LARGEST = 1 << 27  # bytes: ten times a tagger's
MAKE = "write one with `parity rescue {} -o FILE.onnx`"


class OnnxError(ValueError):
    """An ONNX file that cannot be had or used: one sentence with what, where and what to do."""


class Network(NamedTuple):
    """What an ONNX file says of its network; `release` in words, as the port's own has it."""

    model: str
    keras: str
    keras_from: str
    release: str


class OnnxTagger(Tagger):
    """A Tagger whose network is an ONNX file; see `tagger.model.Tagger`."""

    def __init__(self, path: FilePath, correction: str | None = None) -> None:
        self.source, self.session, said = Path(path), *_opened(Path(path))
        try:
            self.tags = tuple(json.loads(said["tags"]))
            self.network = Network(*(said[key] for key in Network._fields))
            self._remarks = tuple(json.loads(said["remarks"]))
            self._is_meaningless = json.loads(said["meaningless"])
            known = OF_COUNT[MODELS[said["model"]].outputs]
        except (KeyError, ValueError, TypeError) as error:
            raise OnnxError(f"{path} is no tagger's ONNX file; {MAKE.format('CRNN')}") from error
        if self.tags != known:
            at = next(
                (
                    at
                    for at, pair in enumerate(zip(self.tags, known, strict=False))
                    if len({*pair}) > 1
                ),
                -1,
            )
            raise OnnxError(
                f"{path} has other tags than {said['model']}: {visible(self.tags[at])!r} in the "
                f"place of {known[at]!r}; {MAKE.format(said['model'])}"
            )
        self.model, self.keras = self.network.model, self.network.keras
        self.calibration = said.get("calibration")
        self.correction = corrections.known(correction) if correction else None
        if self.calibration and self.correction:
            raise OnnxError(f"{path} is calibrated without --correction; leave that out")
        if self.correction:
            self._remarks = tuple(each for each in self._remarks if not each.startswith(SCALE))
        if said.get("proof") != HOLDS:
            what = "its proof says " + said["proof"] if "proof" in said else "nobody proved it"
            self._remarks += (f"NOT PROVED: {visible(path)} may compute anything, {what}",)

    @property
    def remarks(self) -> tuple[str, ...]:
        return self._remarks

    @property
    def is_meaningless(self) -> bool:
        return self._is_meaningless

    def predict(self, x: np.ndarray) -> np.ndarray:
        (entry,) = self.session.get_inputs()
        x = corrections.correct(self.correction, x)
        found: np.ndarray = self.session.run(None, {entry.name: x})[0]
        return found


def onnx_of(model: str) -> Path:
    """The path of the tagger's ONNX file, beside its published weights. Raises OnnxError."""
    architecture_of(model)
    name = Path(store.WEIGHTS[model]).with_suffix(SUFFIX)
    for folder in store.folders():
        if (folder / name).is_file():
            return folder / name
    raise OnnxError(
        f"no ONNX file of {model} is here; {MAKE.format(model)} and give it with --weights, or "
        f"keep it as {name} below {store.DATA_VARIABLE}"
    )


def load(
    model: str | None, path: FilePath, keras: str | None = None, correction: str | None = None
) -> OnnxTagger:
    """The tagger of an ONNX file. Raises OnnxError where it is another model's or release's."""
    tagger = OnnxTagger(path, correction)
    if model not in (None, tagger.model):
        raise OnnxError(f"{path} holds {tagger.model}, not {model}; ask for that or give its file")
    if keras not in (None, tagger.keras):
        raise OnnxError(
            f"{path} computes by the formulas of Keras {tagger.keras}, and a file cannot change; "
            f"export the weights again with --keras {keras}"
        )
    return tagger


def _opened(path: Path):  # -> (session, what it says of itself)
    try:
        import onnxruntime
    except ImportError as error:
        raise OnnxError(
            "there is no onnxruntime in this environment; install it, or leave --engine out"
        ) from error
    try:
        with untrusted.opened(path) as stream:
            data = stream.read(LARGEST + 1)
    except OSError as error:
        raise OnnxError(f"{path}: it cannot be read ({error.strerror}); check the path") from error
    if len(data) > LARGEST:
        raise OnnxError(f"{path} is larger than any tagger, {LARGEST >> 20} MiB; give another file")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(
            data, options, providers=["CPUExecutionProvider"]
        )  # from memory: nothing beside the file is read
    except Exception as error:  # the runtime has a dozen of its own
        why = visible(" ".join(str(error).split())[:160])
        raise OnnxError(
            f"{path} is no ONNX file that onnxruntime {onnxruntime.__version__} runs ({why}); "
            f"{MAKE.format('CRNN')}"
        ) from error
    return session, dict(session.get_modelmeta().custom_metadata_map)
