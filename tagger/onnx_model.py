"""A tagger that is an ONNX file of `parity rescue`: onnxruntime runs it, without Chainer."""

import itertools
import json
import threading
from pathlib import Path

import numpy as np

from parity import untrusted
from parity.errors import visible
from parity.files import FilePath, is_sealed
from parity.fixtures import store
from parity.fixtures.tags import OF_COUNT
from parity.port.architectures import MODELS, architecture_of

SUFFIX, HOLDS = ".onnx", "HOLDS"
LARGEST = 1 << 27  # bytes: ten times a tagger's
LONGEST_S = 30  # that a clip may take: a hundred times as long as it does
MAKE = "write one with `parity rescue {} -o FILE.onnx`"


class OnnxError(ValueError):
    """An ONNX file that cannot be had or used: one sentence with what, where and what to do."""


class OnnxNetwork:
    """A tagger's network as an ONNX file has it, with what the file says of itself.

    Attributes
    ----------
    model, keras, keras_from, release : str
        As of the port's Network.
    tags, remarks : tuple of str
    is_meaningless : bool
        Whether it was made of stand-ins.
    calibration : str or None
        At what CNN0's statistics were frozen before.

    Raises
    ------
    OnnxError
        For a file that onnxruntime cannot run, or that is no tagger's.
    """

    def __init__(self, path: FilePath) -> None:
        self.session, said, whole = _opened(Path(path))
        self.path = visible(path)
        try:
            self.model, self.keras = said["model"], said["keras"]
            self.keras_from, self.release = said["keras_from"], said["release"]
            self.tags, self.remarks = (tuple(json.loads(said[key])) for key in ("tags", "remarks"))
            self.is_meaningless = bool(json.loads(said["meaningless"]))
            known = OF_COUNT[MODELS[self.model].outputs]
            (self.entry,) = (each.name for each in self.session.get_inputs())
        except (KeyError, ValueError, TypeError) as error:
            raise OnnxError(f"{path} is no tagger's ONNX file; {MAKE.format('CRNN')}") from error
        for own, right in itertools.zip_longest(self.tags, known):
            if own != right:
                raise OnnxError(
                    f"{path} has other tags than {self.model}: {visible(own)!r} in the place of "
                    f"{right!r}; {MAKE.format(self.model)}"
                )
        self.calibration = said.get("calibration")
        proof = said.get("proof", "")
        if proof != HOLDS or not whole:
            what = {"": "nobody proved it", HOLDS: "it was changed since its proof"}.get(
                proof, f"its proof says {visible(proof)}"
            )
            self.remarks += (f"NOT PROVED: {self.path} may compute anything, {what}",)

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Mel spectrograms (B,1,96,1366) in dB -> scores (B,tags). Raises OnnxError."""
        import onnxruntime

        options = onnxruntime.RunOptions()
        stop = threading.Timer(LONGEST_S * len(x), setattr, (options, "terminate", True))
        stop.start()
        try:
            found = self.session.run(None, {self.entry: x}, options)[0]
        except Exception as error:  # the runtime has a dozen of its own
            raise OnnxError(
                f"{self.path} does not run on a mel spectrogram ({_short(error)}); "
                f"{MAKE.format(self.model)}"
            ) from error
        finally:
            stop.cancel()
        expected = len(x), len(self.tags)
        if getattr(found, "shape", None) != expected or found.dtype != np.float32:
            raise OnnxError(
                f"{self.path} gives no {expected[1]} scores for each clip; "
                f"{MAKE.format(self.model)}"
            )
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


def load(model: str | None, path: FilePath, keras: str | None = None) -> OnnxNetwork:
    """The network of an ONNX file. Raises OnnxError where it is another model's or release's."""
    network = OnnxNetwork(path)
    if model not in (None, network.model):
        raise OnnxError(f"{path} holds {network.model}, not {model}; ask for that or give its file")
    if keras not in (None, network.keras):
        raise OnnxError(
            f"{path} computes by the formulas of Keras {network.keras}, and a file cannot change; "
            f"export the weights again with --keras {keras}"
        )
    return network


def _short(error: Exception) -> str:
    return visible(" ".join(str(error).split())[:160])


def _opened(path: Path):  # -> (session, what it says of itself, whether it is as it was proved)
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
            data, options, providers=["CPUExecutionProvider"], enable_fallback=0
        )  # from memory: nothing beside the file is read
        said = dict(session.get_modelmeta().custom_metadata_map)
    except Exception as error:  # the runtime has a dozen of its own
        raise OnnxError(
            f"{path} is no ONNX file that onnxruntime {onnxruntime.__version__} runs "
            f"({_short(error)}); "
            f"{MAKE.format('CRNN')}"
        ) from error
    return session, said, is_sealed(data)
