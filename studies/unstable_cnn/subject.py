"""What is investigated: models, clips and the audio they are of, and what can stand beside a clip
in a batch.
"""

from typing import Any, NamedTuple

import numpy as np

from parity.errors import CannotRun
from parity.files import sha256_of
from parity.model import MODELS, case_for, select
from parity.program import say
from parity.recording.clips import SPECTROGRAM, read_clips
from parity.recording.trace import array_sha256
from parity.studies.unstable_cnn import originals, ports
from tagger.inputs import SUFFIXES, audio_files

DEFAULT_MODELS = ("CNN0", "CNN", "CRNN")
AUTHORS = "published/authors.json"  # scores that the authors print, below the data folder
OTHER_MODELS = ("CRNN50",)  # where its weights are at hand
COLLECTIONS_MODEL = "CRNN"  # its first layer remembers the decibels of the music it was trained on
FAST, PLAIN = "fast_run", "None"  # Theano's optimizers
SEED = 20160618
NOISE_RMS = 0.1  # of full scale
# Numbers of parity.fixtures.synthesis; 1 and 2 are the clips of a run without data.
SYNTHESISED = (3, 4)


class Subject(NamedTuple):
    """What is investigated. cases: {model: Case}; clips: {name: float32 (1, 1, 96, 1366),
    decibel}.

    audio: {clip name: path}, where there is any; data: "real" or "seeded"; progress: of
    parity.progress, or None; optimizers: {model: Theano's, for the runs of the original}, where
    FAST will not do; pairs: {name: (a clip, [recordings it may be of])}, where a folder of them was
    given; others: {model: Case} that only some questions are asked of.
    """

    cases: dict
    clips: dict
    audio: dict
    data: str
    progress: Any = None
    optimizers: dict = {}  # noqa: RUF012 - never written into
    pairs: dict = {}  # noqa: RUF012 - never written into
    others: dict = {}  # noqa: RUF012 - never written into

    def widened(self):
        """The same with its other models among the cases."""
        return self._replace(cases={**self.cases, **self.others}, others={})

    def need_clips(self, why):
        """Raise CannotRun where no clip could be read, with `why` one is needed."""
        if not self.clips:
            raise CannotRun(
                f"no clip could be read, so {why}; give at least one mel spectrogram or audio file"
            )

    def with_sound(self, why):
        """{name: clip} of those that are not silent. Raises CannotRun where there are none."""
        clips = {name: x for name, x in self.clips.items() if np.ptp(x)}
        if not clips:
            raise CannotRun(
                f"there is no clip with any sound to {why}; name at least one mel spectrogram "
                "(.npy) or audio file"
            )
        return clips

    def originals(self, wanted):
        """{model: {label: Run}} for {model: {batches, keep, most, threads}}."""
        asked = {
            name: {
                "case": self.cases[name],
                "optimizer": self.optimizers.get(name, FAST),
                "progress": self.progress,
                **more,
            }
            for name, more in wanted.items()
        }
        return originals.run(asked)

    def both(self, wanted):
        """{model: {"original", "port": {label: Run}}} for {model: {batches, keep, most}}."""
        recorded = self.originals(wanted)
        return {
            name: {"original": recorded[name], "port": ports.run(self.cases[name], **asked)}
            for name, asked in wanted.items()
        }

    def identity(self):
        """What tells one subject from another, by digests and in their order."""
        from parity.fixtures import store

        collection, scores = map(store.find, (MODELS[COLLECTIONS_MODEL].weights, AUTHORS))
        models = [[name, case.weights.sha256, case.data] for name, case in self.cases.items()]
        return {
            "models": models,
            "clips": [[name, array_sha256(clip)] for name, clip in self.clips.items()],
            # It gives its collection's scale to all models.
            "collection": collection and sha256_of(collection),
            "authors": scores and sha256_of(scores),
            "audio": [[name, sha256_of(path)] for name, path in self.audio.items()],
            "optimizers": sorted(self.optimizers.items()),
            "pairs": [
                [name, array_sha256(clip), *map(sha256_of, recordings)]
                for name, (clip, recordings) in self.pairs.items()
            ],
        }


def subject(models=(), clips=(), progress=None, pairs=None):
    """(Subject, [(clip, message)] of the clips that cannot be used). models: names, default all
    three; clips: paths, default the published; pairs: a folder.

    Raises CannotRun for an unknown model, weights that are not what their digest says, or a folder
    without pairs.
    """
    from parity.fixtures import store

    names = select(models, ())[0] if models else DEFAULT_MODELS
    together, left_out = pairs_in(pairs) if pairs else ({}, [])
    good = []
    for path in clips:
        try:
            (remarks,) = read_clips([path]).remarks
            for remark in remarks:
                say(f"{path} {remark}", err=True)
            good.append(path)
        except CannotRun as why:
            left_out.append((str(path), str(why)))
    chosen = {name: case_for(name, None, good) for name in names}
    if clips and not good:  # none of those asked for, not the published ones instead
        chosen = {name: case._replace(clips=()) for name, case in chosen.items()}
    paths = next(iter(chosen.values())).clips
    data = "seeded" if any(case.data == "seeded" for case in chosen.values()) else "real"
    heard = read_clips(paths) if paths else None
    named = {name: heard.batch[at : at + 1] for at, name in enumerate(heard.names)} if heard else {}
    at_hand = [name for name in OTHER_MODELS if not models and store.find(MODELS[name].weights)]
    others = {name: case_for(name, None, good) for name in at_hand}
    others = {name: case for name, case in others.items() if data == case.data == "real"}
    return Subject(
        chosen, named, _audio(paths), data, progress, pairs=together, others=others
    ), left_out


def pairs_in(folder):
    """({name: (clip, [recordings, mp3 first])}, [(file, message)] of what is no pair).

    A pair is a mel spectrogram (.npy) and its recordings, all of one name, anywhere below `folder`.
    Raises CannotRun where there is none.
    """
    files = {path: path.stem for path in audio_files([folder], also=[SPECTROGRAM]).paths}
    recordings, found, left_out = {}, {}, []
    for path in sorted(files, key=lambda path: (path.suffix.lower() != SUFFIXES[0], path)):
        if path.suffix != SPECTROGRAM:
            recordings.setdefault(path.stem, []).append(path)
    for path, name in files.items():
        if path.suffix != SPECTROGRAM:
            continue
        try:
            if name not in recordings or name in found:
                raise CannotRun(
                    f"{path}: {'a second spectrogram' if name in found else 'no recording'} of "
                    "this name; give each a recording of its own name"
                )
            found[name] = read_clips([path]).batch, recordings[name]
        except CannotRun as why:
            left_out.append((str(path), str(why)))
    if not found:
        raise CannotRun(
            f"{folder}: holds no mel spectrogram (.npy) with a recording of the same name; give "
            "a folder with both"
        )
    return found, left_out


def _audio(paths):
    """{file name: path} of clips that are audio, and of published spectrograms' recordings."""
    from parity.fixtures import store

    found = {path.name: path for path in paths if path.suffix != SPECTROGRAM}
    published = [
        f"audio/{path.stem}{suffix}"
        for path in paths
        if path.suffix == SPECTROGRAM
        for suffix in SUFFIXES
    ]
    return found | {path.name: path for path in filter(None, map(store.find, published))}


def companions(clips):
    """{name: float32 (1, 1, 96, 1366), decibel}: what can stand beside `clips` {name: such an
    array} in a batch.

    "silence" and "noise" (white) have gone through the front end; "<clip> reversed" and "<clip>
    moved" (by half its length, its end put before its beginning) are the clips' own spectrograms.
    """
    from parity.fixtures.synthesis import mel_spectrogram
    from tagger.audio import CLIP_SAMPLES, melgram_of

    drawn = np.random.default_rng(SEED).standard_normal(CLIP_SAMPLES).astype(np.float32)
    found = {
        "silence": melgram_of(np.zeros(CLIP_SAMPLES, np.float32)),
        "noise": melgram_of(drawn * np.float32(NOISE_RMS)),
        **{f"synthesised {number}": mel_spectrogram(number) for number in SYNTHESISED},
        **{f"{name} reversed": clip[..., ::-1].copy() for name, clip in clips.items()},
    }
    for name, clip in clips.items():
        found[f"{name} moved"] = np.roll(clip, clip.shape[-1] // 2, axis=-1)
    return {name: clip.astype(np.float32) for name, clip in found.items() if name not in clips}
