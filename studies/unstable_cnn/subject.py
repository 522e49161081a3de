"""What is investigated, from the names a user gave: cases, clips and the audio they are of."""

from parity.errors import CannotRun
from parity.model import case_for, select
from parity.recording.clips import AUDIO_SUFFIXES, read_clips
from parity.studies.unstable_cnn.runs import Subject

DEFAULT_MODELS = ("CNN0", "CNN", "CRNN")


def subject(models=(), clips=(), progress=None):
    """(Subject, [{clip, message}] of the clips that cannot be read). models: names, default all
    three; clips: paths, default the published.

    Raises CannotRun for an unknown model, or weights that are not what their digest says.
    """
    names = select(models, ())[0] if models else DEFAULT_MODELS
    good, left_out = _readable(clips)
    chosen = {name: _case(name, clips, good) for name in names}
    paths = next(iter(chosen.values())).clips
    data = "seeded" if any(case.data == "seeded" for case in chosen.values()) else "real"
    heard = read_clips(paths) if paths else None
    named = {name: heard.batch[at : at + 1] for at, name in enumerate(heard.names)} if heard else {}
    return Subject(chosen, named, _audio(paths), data, progress), left_out


def _readable(clips):
    good, left_out = [], []
    for path in clips:
        try:
            read_clips([path])
            good.append(path)
        except CannotRun as why:
            left_out.append({"clip": str(path), "message": str(why)})
    return good, left_out


def _case(name, asked, good):
    """The case of one model, on no clip at all where none of those asked for can be read."""
    case = case_for(name, None, good)
    return case._replace(clips=()) if asked and not good else case


def _audio(paths):
    """{file name: path}: the clips that are audio themselves, and the published recordings of
    published mel spectrograms.
    """
    from parity.fixtures import store

    found = {path.name: path for path in paths if path.suffix.lower() in AUDIO_SUFFIXES}
    published = [
        f"audio/{path.stem}{suffix}"
        for path in paths
        if path.suffix == ".npy"
        for suffix in AUDIO_SUFFIXES
    ]
    return found | {path.name: path for path in filter(None, map(store.find, published))}
