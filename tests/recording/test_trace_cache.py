"""The trace cache: keys, least recently used first out, nothing in use removed, and a folder that
cannot be written.
"""

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from parity import store
from parity.errors import CannotRun
from parity.model import MODELS, Case, Weights
from parity.recording import cache as module
from parity.recording import job as job_module
from parity.recording import recordings, stacks
from parity.recording.cache import key_of, label_of, trace_cache
from parity.recording.job import Job
from reference.trace_file import Layer, write_trace
from tests.recording.conftest import full

ROOT = Path(__file__).resolve().parents[2]
PROVENANCE = {"model": "CNN0", "lane": "truth", "keras": "1.0.6", "batch_size": 2}


def add(cache, key, elements=1000):
    """A trace of about 8 bytes per element, brought in as a recorder's is."""
    folder = cache.scratch(key)
    write_trace(
        folder / "trace.h5",
        [Layer("input_1", "InputLayer", {}, [], np.zeros(elements), None)],
        PROVENANCE,
    )
    path = cache.add(key, folder / "trace.h5")
    shutil.rmtree(folder)
    return path


def age(cache, key, hours):
    status = cache.path(key).stat()
    os.utime(cache.path(key), (status.st_atime, status.st_mtime - 3600 * hours))


WORDS = {full(word): word for word in "a b c old older young new used idle dead alive".split()}


def names(cache):
    return sorted(WORDS[path.stem] for path in cache.folder.glob("*.h5"))


def test_what_is_added_is_found_and_listed_with_its_label(cache):
    assert cache.find("a") is None
    path = add(cache, "a")
    assert cache.find("a") == path == cache.folder / f"{full('a')}.h5"
    (entry,) = cache.entries()
    assert (entry.path, entry.size_bytes) == (path, path.stat().st_size)
    assert label_of(path) == "CNN0 truth (Keras 1.0.6, 2 clips)"


def test_a_damaged_trace_is_listed_as_unreadable(cache):
    cache.path("a").write_bytes(b"\x89HDF\r\n\x1a\nrubbish")
    assert [label_of(entry.path) for entry in cache.entries()] == ["unreadable"]


def test_the_list_has_the_most_recently_used_first(cache):
    for key, hours in (("a", 3), ("b", 1), ("c", 2)):
        add(cache, key)
        age(cache, key, hours)
    assert [WORDS[entry.path.stem] for entry in cache.entries()] == ["b", "c", "a"]
    cache.find("a")
    assert [WORDS[entry.path.stem] for entry in cache.entries()] == ["a", "b", "c"]


def test_past_the_limit_the_least_recently_used_go_first(cache, monkeypatch):
    for key, hours in (("old", 3), ("older", 5), ("young", 1)):
        add(cache, key)
        age(cache, key, hours)
    size = cache.path("old").stat().st_size
    monkeypatch.setenv("PARITY_CACHE_LIMIT_GB", str(2.5 * size / 1e9))
    release()
    add(cache, "new")
    assert names(cache) == ["new", "young"]


def release():
    """What the end of the process does."""
    for path in list(store._HELD):
        store._HELD.pop(path).close()


def test_a_trace_in_use_by_another_process_is_not_removed_until_that_ends(cache):
    add(cache, "used")
    add(cache, "idle")
    release()
    script = (
        "import sys\nfrom parity.recording.cache import "
        f"trace_cache\nprint(trace_cache().find({full('used')!r}), "
        "flush=True)\nsys.stdin.read()"
    )
    user = subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert user.stdout.readline().strip() == str(cache.path("used"))
    removed, freed_bytes, kept = cache.clear()
    assert (removed, kept) == (1, 1)
    assert freed_bytes > 8000
    assert names(cache) == ["used"]
    user.communicate()
    assert cache.clear()[::2] == (1, 0)
    assert names(cache) == []


def test_what_this_run_uses_stays_even_past_the_limit(cache, monkeypatch):
    monkeypatch.setenv("PARITY_CACHE_LIMIT_GB", "1e-9")
    add(cache, "a")
    add(cache, "b")
    assert names(cache) == ["a", "b"]


def test_what_this_run_needs_no_more_goes_at_once(cache):
    add(cache, "a")
    add(cache, "b")
    cache.discard("a")
    assert names(cache) == ["b"]
    assert cache.find("a") is None


@pytest.mark.parametrize("text", ["much", "0", "-3", "nan"])
def test_a_limit_that_is_no_positive_number_is_refused(cache, monkeypatch, text):
    monkeypatch.setenv("PARITY_CACHE_LIMIT_GB", text)
    with pytest.raises(
        CannotRun, match=r"PARITY_CACHE_LIMIT_GB is .* positive number of gigabytes"
    ):
        add(cache, "a")


def test_a_lock_is_had_once_and_given_back_whole(cache):
    lock = cache.try_lock("a")
    assert cache.try_lock("a") is None
    other = cache.try_lock("b")
    cache.unlock(lock)
    cache.unlock(other)
    assert list(cache.folder.iterdir()) == []
    cache.unlock(cache.try_lock("a"))


def test_a_lock_whose_file_was_removed_meanwhile_is_taken_anew(cache, monkeypatch):
    """Between opening the file and locking it, its last owner removes it: a lock on a nameless
    file would keep nobody out.
    """
    path, real = cache.folder / f"{full('a')}.lock", store.fcntl.flock

    def removed_meanwhile(stream, how):
        path.unlink()
        monkeypatch.setattr(store.fcntl, "flock", real)
        return real(stream, how)

    monkeypatch.setattr(store.fcntl, "flock", removed_meanwhile)
    lock = cache.try_lock("a") or cache.try_lock("a")
    assert lock is not None
    assert path.exists()
    assert cache.try_lock("a") is None


def test_a_trace_removed_while_it_is_being_found_is_not_found(cache, monkeypatch):
    path = add(cache, "a")
    real = store.fcntl.flock

    def removed_meanwhile(stream, how):
        path.unlink(missing_ok=True)
        real(stream, how)

    monkeypatch.setattr(store.fcntl, "flock", removed_meanwhile)
    assert cache.find("a") is None


def test_clearing_takes_what_killed_runs_left_but_not_a_recording_that_is_under_way(cache):
    cache.scratch("dead")
    cache.scratch("alive")
    lock = cache.try_lock("alive")
    cache.clear()
    assert [WORDS[path.name.split(".")[0]] for path in cache.folder.glob("*.part")] == ["alive"]
    cache.unlock(lock)


def test_the_folder_is_the_one_asked_for_else_the_users_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("PARITY_CACHE", str(tmp_path / "here"))
    own = Path("music-tagger-parity", "traces")
    assert module.default_folder() == tmp_path / "here" / own
    monkeypatch.delenv("PARITY_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert module.default_folder() == tmp_path / "xdg" / own
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert module.default_folder() == tmp_path / ".cache" / own


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(
        CannotRun,
        match=(
            r"trace cache .*file/traces: cannot be written \(Not a directory\); free space, "
            r"choose"
        ),
    ):
        trace_cache(tmp_path / "file" / "traces")


@pytest.mark.parametrize(
    ("number", "words"),
    [(errno.ENOSPC, "No space left on device"), (errno.EROFS, "Read-only file system")],
)
@pytest.mark.parametrize("function", ["os.replace", "tempfile.mkdtemp", "numpy.save"])
def test_a_full_or_read_only_cache_is_told_in_a_sentence_and_nobody_stays(
    cache, behave, make_job, monkeypatch, function, number, words
):
    behave("write")
    job = make_job()

    def fail(*_, **__):
        raise OSError(number, words)

    monkeypatch.setattr(function, fail)
    with pytest.raises(CannotRun, match=rf"{cache.folder}.*\({words}\).*PARITY_CACHE"):
        recordings.record([job], cache=cache)
    assert list(cache.folder.iterdir()) == []


def test_a_cache_that_can_only_be_read_still_serves(cache, monkeypatch):
    path = add(cache, "a")
    monkeypatch.setattr(
        os, "utime", lambda *_: (_ for _ in ()).throw(OSError(errno.EROFS, "Read-only file system"))
    )
    assert trace_cache().find(full("a")) == path


BATCH = np.random.default_rng(1).standard_normal((2, 1, 96, 1366)).astype(np.float32)


def test_the_key_sees_everything_that_can_change_a_number(cache, make_job, tmp_path, monkeypatch):
    base = make_job(batch=BATCH)
    others = [
        make_job("truth", batch=BATCH),
        make_job("noise", batch=BATCH),
        make_job(model="CNN", batch=BATCH),
        make_job(stack="keras110", batch=BATCH),
        make_job(batch=BATCH[::-1]),
        make_job(batch=BATCH[:1]),
        make_job(batch=np.nextafter(BATCH, np.float32(9))),
        base._replace(lane=stacks.LANES["truth"]),
        base._replace(batch=BATCH[:1]),
        *(base._replace(expect={**base.expect, name: "other"}) for name in base.expect),
    ]
    (tmp_path / "weights.h5").write_bytes(b"other weights")
    others.append(make_job(batch=BATCH))
    (tmp_path / "weights.h5").write_bytes(b"weights")
    assert make_job(batch=BATCH.copy()).key == base.key
    monkeypatch.setattr(module, "FORMAT", 2)
    others.append(base)
    keys = [job.key for job in others]
    monkeypatch.setattr(job_module, "sources_sha256", lambda: "changed")
    keys.append(make_job(batch=BATCH).key)
    monkeypatch.setattr(module, "FORMAT", 1)
    assert base.key not in keys
    assert len(set(keys)) == len(keys)


def test_the_key_names_everything_the_recorder_is_held_to(make_job):
    assert set(make_job().expect) == {
        "keras",
        "theano",
        "numpy",
        "scipy",
        "h5py",
        "python",
        "backend",
        "image_dim_ordering",
        "epsilon",
        "threads",
        "floatx",
        "floatX",
        "optimizer",
        "recorder_sha256",
        "definition_sha256",
        "custom_sha256",
        "weights_sha256",
        "input_sha256",
    }


def test_the_key_does_not_depend_on_the_order_of_its_ingredients():
    assert key_of({"a": 1, "b": 2}) == key_of({"b": 2, "a": 1}) != key_of({"a": 2, "b": 1})


@pytest.mark.parametrize(
    ("batch", "sentence"),
    [
        (BATCH.astype("f8"), "the input is float64"),
        (BATCH[0], r"float32 \(1, 96, 1366\), expected float32 \(B, 1, 96, 1366\)"),
        (BATCH[:0], r"float32 \(0, 1, 96, 1366\), expected"),
        (BATCH * np.float32("inf"), "NaN or infinity"),
    ],
)
def test_a_batch_that_is_none_is_refused_before_anything_starts(make_job, batch, sentence):
    with pytest.raises(CannotRun, match=sentence):
        make_job(batch=batch)


def test_weights_that_are_not_there_are_refused_before_anything_starts(tmp_path):
    with pytest.raises(
        CannotRun, match=r"none\.h5: the weights cannot be read \(No such file or directory\)"
    ):
        case = Case(MODELS["CNN0"], Weights(tmp_path / "none.h5"), (), "seeded")
        Job.of_case(case, "reference", BATCH)
