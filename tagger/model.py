"""A tagger: a network of the port, the names of its tags, and remedies where they are asked for."""

import functools
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from parity.files import FilePath
from parity.fixtures.tags import OF_COUNT
from tagger import corrections, onnx_model, tagging, weight_files

if TYPE_CHECKING:  # an ONNX file needs no Chainer
    import pandas  # takes half a second to import

    from parity.port.network import Network

# A first layer's spread, be it a deviation or a variance, that no decibels of music have: 3 dB.
LEAST = 9.0
SCALE = "ON ANOTHER SCALE"


class Tagger:
    """Tags music: mel spectrograms or audio files -> scores in [0, 1].

    Parameters
    ----------
    network : parity.port.network.Network
        A network of the port.
    source : path
        The weight file it was read from.
    correction : str, optional
        A name of `tagger.corrections.CORRECTIONS`, applied to the input.
    calibration : path, optional
        A file of `python -m tagger calibrate` for CNN0.

    Attributes
    ----------
    tags : tuple of str
        In the order of the scores.

    Raises
    ------
    ValueError
        For an unknown correction.
    tagger.calibration.CalibrationError
        For a file that is no calibration, or one of other weights.
    """

    def __init__(
        self,
        network: "Network",
        source: FilePath,
        correction: str | None = None,
        calibration: FilePath | None = None,
    ) -> None:
        self.network, self.model, self.keras = network, network.model, network.keras
        self.source = Path(source)
        self.tags = OF_COUNT[network[network.layer_names[-1]].b.size]
        self.correction = corrections.known(correction) if correction else None
        self.calibration = None
        if calibration:
            from tagger.calibration import apply

            self.calibration = apply(calibration, network, self.correction)

    @property
    def remedies(self) -> tuple[str, ...]:
        """What stands between these scores and the original's, in words; empty by default."""
        told = {"correction": self.correction, "calibration": self.calibration}
        return tuple(f"{kind} {said}" for kind, said in told.items() if said)

    @property
    def name(self) -> str:
        """The model and the Keras release by whose formulas it is read, in words."""
        return f"{self.model} by the formulas of Keras {self.network.release}"

    @functools.cached_property
    def remarks(self) -> tuple[str, ...]:
        """What of the weights changes the worth of every answer, in sentences."""
        return remarks_on(self.network, self.source, self.correction)

    @functools.cached_property
    def is_meaningless(self) -> bool:
        """Whether the weights are stand-ins, or were trained from them."""
        return weight_files.is_meaningless(self.network, self.source)

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Scores of mel spectrograms.

        Parameters
        ----------
        x : numpy.ndarray, shape (B,1,96,1366), float32
            In dB. CNN0 normalises with the statistics of this batch, unless it is calibrated.

        Returns
        -------
        numpy.ndarray, shape (B,tags), float32
            In [0, 1], in the order of `tags`.
        """
        return self.through(x, self.network.layer_names)

    def through(self, x: np.ndarray, layers: Sequence[str]) -> np.ndarray:
        """What the first `layers` make of mel spectrograms (B,1,96,1366), float32 in dB."""
        import chainer

        with chainer.using_config("train", False), chainer.no_backprop_mode():
            return self.network.through(corrections.correct(self.correction, x), layers).array

    def embed(self, x: np.ndarray, layer: str = "gru2") -> np.ndarray:
        """What a layer makes of mel spectrograms; see `tagger.embedding.embedded`."""
        from tagger.embedding import embedded

        return embedded(self, x, layer)

    def tag(
        self,
        audio: FilePath,
        *more: FilePath,
        frames: str = "centre",
        batch_size: int = tagging.BATCH_SIZE,
        front_end: str = "today",
    ) -> "pandas.DataFrame":
        """Tags of audio files, best first.

        Parameters
        ----------
        audio, *more : path
            wav, mp3, flac, ogg, opus, aiff, au, w64 or caf.
        frames : {"centre", "all"}
            The middle 29.12 s, or every 29.12 s of a track and their mean.
        batch_size : int
            Clips the network takes at a time.
        front_end : {"today", "2016"}
            The resampler: soxr's, or resampy 0.2.2's.

        Returns
        -------
        pandas.DataFrame
            Columns file, frame ("centre", or "0" .. and "mean"), rank (from 1), tag, score in
            [0, 1], percent of the frame's sum, remarks on what changes their worth; and
            `remedies` where there is one.

        Raises
        ------
        tagger.reading.AudioError
            For a file that cannot be read.
        ValueError
            For another `frames`, `batch_size` or `front_end`.

        Warns
        -----
        UserWarning
            Of what changes the worth of the answer.
        """
        import pandas

        rows, told = [], {"remedies": "; ".join(self.remedies)} if self.remedies else {}
        for remark in self.remarks:
            warnings.warn(remark, stacklevel=2)
        for scored in tagging.score_files(
            self.predict, [audio, *more], frames, batch_size, front_end
        ):
            if scored.error:
                raise scored.error
            for sentence in tagging.sentences(scored.path, scored.remarks):
                warnings.warn(sentence, stacklevel=2)
            more = {"remarks": "; ".join((*self.remarks, *scored.remarks))} | told
            rows += [row | more for row in tagging.ranked_rows(self.tags, scored)]
        return pandas.DataFrame(rows)


class OnnxTagger(Tagger):
    """A Tagger whose network is an ONNX file."""

    def __init__(
        self, network: onnx_model.OnnxNetwork, source: FilePath, correction: str | None = None
    ) -> None:
        self.network, self.model, self.keras = network, network.model, network.keras
        self.source, self.tags, self.calibration = Path(source), network.tags, network.calibration
        self.correction = corrections.known(correction) if correction else None
        if self.calibration and self.correction:
            raise onnx_model.OnnxError(f"{source} is calibrated without a correction; give none")

    @property
    def remarks(self) -> tuple[str, ...]:
        said = self.network.remarks
        return tuple(each for each in said if not self.correction or not each.startswith(SCALE))

    @property
    def is_meaningless(self) -> bool:
        return self.network.is_meaningless

    def predict(self, x: np.ndarray) -> np.ndarray:
        return self.network(corrections.correct(self.correction, x))


def remarks_on(network: "Network", source: FilePath, correction: str | None) -> tuple[str, ...]:
    """What of a network's weights changes the worth of every answer, in sentences."""
    layers = (link for link in network.steps().values() if hasattr(link, "running_std"))
    first, said = next(layers, None), weight_files.remarks_on(network, source)
    if correction or first is None or first.mode or np.median(first.running_std) > LEAST:
        return said
    return (
        *said,
        f"{SCALE}: this {network.model} was trained on standardised input, as its first "
        "layer's statistics say, and gets decibels; --correction clip standardises them",
    )


def load(
    model: str | None,
    weights: FilePath,
    keras: str | None = None,
    *,
    correction: str | None = None,
    calibration: FilePath | None = None,
) -> Tagger:
    """The Tagger of a weight file or of an ONNX file; see `parity.port.weights.load` and Tagger."""
    if Path(weights).suffix == ".onnx":
        if calibration:
            raise onnx_model.OnnxError(
                f"{weights} cannot be calibrated any more; write one that is with "
                f"`parity export {model} --calibration {calibration}`"
            )
        return OnnxTagger(onnx_model.load(model, weights, keras), weights, correction)
    try:
        from parity.port import weights as port_weights
    except ImportError as error:
        raise ValueError(
            f"{weights} needs Chainer, and this environment has no {error.name}; give an ONNX file "
            "of `parity rescue`, or --engine onnx"
        ) from error
    return Tagger(port_weights.load(model, weights, keras), weights, correction, calibration)
