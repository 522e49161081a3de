"""Collections of any size: `tagger tag --out TABLE`, a row for each track (and frame)."""

import dataclasses
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from parity.engine.cluster import place
from parity.engine.collection import collect
from parity.engine.job import Row
from parity.engine.parts import Parts, parts
from parity.engine.tables import check_kind, write
from parity.engine.urls import is_url, local
from parity.errors import CannotRun, visible
from parity.files import FilePath, check_writable, sha256_of
from parity.program import say
from tagger import outputs
from tagger.model import Tagger, load
from tagger.tagging import Scored, score_files

PACKAGES = ("numpy", "chainer", "onnxruntime", "h5py", "av", "soxr")
FIXED = ("file", "frame", "error", "remarks", "model", "keras", "weights", "remedies")
REMARKS = "of the track"  # its own, in no table
BATCHES = 4  # in a partition


@dataclass(frozen=True)
class Tagging:
    """Tagging files, as the engine runs it (`parity.engine.job.Job`).

    cut : (frames, front end, batch size). sha256 : of weights and calibration.
    """

    model: str
    weights: str
    keras: str | None
    correction: str | None
    calibration: str | None
    cut: tuple[str, str, int]
    sha256: tuple[str, ...]

    packages = PACKAGES

    @classmethod
    def of(
        cls, tagger: Tagger, cut: dict[str, Any], keras: str | None, calibration: str | None
    ) -> "Tagging":
        """What `tagger` does, for other processes."""
        files = [os.path.abspath(path) for path in (tagger.source, calibration) if path]
        return cls(
            tagger.model,
            files[0],
            keras,
            tagger.correction,
            files[1] if calibration else None,
            (cut["frames"], cut["front_end"], cut["batch_size"]),
            tuple(map(sha256_of, files)),
        )

    @property
    def setting(self) -> dict[str, Any]:
        """What two runs have in common whose rows may stand in one table."""
        found = dataclasses.asdict(self)
        return {key: found[key] for key in found if key not in ("weights", "calibration")}

    @property
    def size(self) -> int:
        """Files in a partition."""
        return BATCHES * self.cut[2]

    def open(self) -> "_Open":
        """Load the weights. Raises CannotRun where they are others here."""
        files = [path for path in (self.weights, self.calibration) if path]
        for path, sha256 in zip(files, self.sha256, strict=True):
            try:
                here = sha256_of(path)
            except OSError as error:
                raise CannotRun(
                    f"{path} cannot be read there ({error.strerror}); give every worker the file "
                    "by that name"
                ) from error
            if here != sha256:
                raise CannotRun(
                    f"{path} is another file there ({here[:12]} and not {sha256[:12]}); give every "
                    "worker the same"
                )
        return _Open(self)

    def failed(self, key: str, why: str) -> list[Row]:
        """The row of a file that has no tags."""
        return [{"file": visible(key), "error": visible(why)}]


class _Open:
    """A tagger that works on files, here."""

    def __init__(self, job: Tagging) -> None:
        self.job = job
        self.tagger = load(
            job.model,
            job.weights,
            job.keras,
            correction=job.correction,
            calibration=job.calibration,
        )

    def __call__(self, keys: Sequence[str]) -> dict[str, list[Row]]:
        frames, front_end, batch_size = self.job.cut
        with ExitStack() as leave:
            there, rows = {}, {}
            for key in keys:
                try:
                    there[key] = local(key, leave)
                except CannotRun as error:
                    rows[key] = self.job.failed(key, str(error))
            scored = score_files(self.tagger.predict, there.values(), frames, batch_size, front_end)
            for key, track in zip(there, scored, strict=True):
                rows[key] = self._rows(key, track)
            return {key: rows[key] for key in keys}

    def _rows(self, key: str, track: Scored) -> list[Row]:
        """A row for each frame, or one that says what is wrong."""
        if track.error:
            return self.job.failed(key, str(track.error).replace(str(track.path), key))
        tagger = self.tagger
        told = {
            "file": visible(key),
            "remarks": "; ".join((*tagger.remarks, *track.remarks)),
            REMARKS: list(track.remarks),
            "model": tagger.model,
            "keras": tagger.network.release,
            "weights": outputs.MEANINGLESS if tagger.is_meaningless else tagger.source.name,
            "remedies": "; ".join(tagger.remedies),
        }
        return [
            told | {"frame": frame} | dict(zip(tagger.tags, map(float, scores), strict=True))
            for frame, scores in track.by_frame()
        ]


@contextmanager
def tagged(
    job: Tagging,
    files: Sequence[str],
    out: FilePath | None,
    scheduler: str | None,
    workers: int | None,
) -> Iterator[Parts]:
    """The rows of every file, kept beside `out` until the `with` ends well, so that the same call
    goes on where it was stopped; without `out` in no place that lasts. Raises CannotRun.
    """
    with ExitStack() as leave:
        target = Path(out or Path(leave.enter_context(tempfile.TemporaryDirectory()), "rows"))
        folder = target.with_name(f"{target.name}.parts")
        kept = leave.enter_context(parts(folder, target, job.setting))
        with place(scheduler, workers) as where:
            collect(job, files, kept, where, job.size, "files")
        yield kept
        kept.remove()


def tag_all(
    tagger: Tagger,
    job: Tagging,
    files: Sequence[str],
    out: Path,
    scheduler: str | None,
    workers: int | None,
) -> tuple[int, int]:
    """Tag every file and write the table `out`; returns how many were tagged, and how many failed.

    Raises CannotRun; what is done is kept beside `out`, and the same call goes on from there.
    """
    check_kind(out)
    inputs = [tagger.source, *(file for file in files if not is_url(file))]
    check_writable(out, inputs=inputs, make=True)
    columns = dict.fromkeys(FIXED, "text") | dict.fromkeys(tagger.tags, "number")
    failed: set[str] = set()
    with tagged(job, files, out, scheduler, workers) as kept:

        def rows() -> Iterator[Row]:
            for key, found in kept.rows(files):
                failed.update([key] * bool(found[0].get("error")))
                yield from found

        write(out, columns, rows(), inputs)
    said = f"{out}: {len(files) - len(failed)} of {len(files)} files tagged by {tagger.name}"
    say(said, err=True)  # the table is the result
    return len(files) - len(failed), len(failed)
