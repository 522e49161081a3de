"""Bad input: one sentence each; exit 2 where nothing could be done, 1 where the other files are
tagged all the same.
"""

import json
import os
import struct

import numpy as np
import pytest
from bad_audio import BAD, holding, silent_centre

from tagger import load_tagger
from tagger.audio import melgram
from tagger.inputs import audio_files

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("case", BAD)
def test_bad_audio_is_one_sentence_and_the_rest_is_tagged(case, run, wav, tmp_path):
    make, said = BAD[case]
    bad = make(wav, tmp_path)
    code, out, err = run("tag", "--format", "json", bad)
    assert code == 2 and json.loads(out)["tracks"] == []
    assert said in err and err.count("\n") == 1 and "; " in err, "what, where; what to do"
    code, out, _ = run("tag", "--format", "json", bad, wav("good.wav"))
    document = json.loads(out)
    assert (
        code == 1
        and len(document["tracks"]) == len(document["failed"]) == 1
        and said in document["failed"][0]
    )


@pytest.mark.parametrize("rate_hz", [12000, 192000])
@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24"])
def test_other_rates_and_widths_are_read(rate_hz, subtype, run, wav):
    code, _, err = run("tag", wav(rate_hz=rate_hz, subtype=subtype, channels=6))
    assert (code, err) == (0, "")


@pytest.mark.parametrize(
    "kind",
    [
        {"name": "x.mp3", "subtype": "MPEG_LAYER_III"},
        {"name": "x.ogg", "subtype": "VORBIS", "seconds": 60},
        {"name": "x.aiff"},
        {"name": "x.flac"},
        {"name": "x.au"},
        {"name": "x.w64"},
        {"name": "x.caf"},
    ],
)
def test_whole_files_of_every_kind_are_not_taken_for_cut_ones(kind, run, wav):
    code, _, err = run("tag", wav(**kind))
    assert (code, err) == (0, "")


def test_what_is_missing_from_a_slow_recording_is_remarked(run, wav):
    code, out, err = run("tag", "--format", "json", wav(rate_hz=8000), wav("fine.wav"))
    assert (
        code == 0 and err.count("\n") == 1 and "8000 Hz: everything above 4000 Hz is missing" in err
    )
    slow, fine = json.loads(out)["tracks"]
    assert "8000 Hz" in slow["remarks"][0] and "remarks" not in fine


def test_the_library_warns_of_a_slow_recording(stand_ins, wav):
    with pytest.warns(UserWarning, match="8000 Hz"):
        load_tagger("CRNN", stand_ins / "seeded-CRNN.h5").tag(wav(rate_hz=8000))


def test_unreadable_files_and_folders_are_told_from_empty_ones(as_anyone, wav, tmp_path):
    closed, folder, inside = wav("closed.wav"), tmp_path / "open", wav("locked/song.wav")
    wav("open/cellar/song.wav")
    closed.chmod(0)
    inside.parent.chmod(0)
    (folder / "cellar").chmod(0)
    said = as_anyone("tag", "--seeded", closed, inside.parent, inside, folder, wav("good.wav"))
    for opened in (closed, inside.parent, folder / "cellar"):
        opened.chmod(0o755)
    lines = said.stderr.decode().splitlines()
    assert said.returncode == 1 and b"good.wav" in said.stdout and len(lines) == 4
    for what in (closed, inside.parent, inside, folder / "cellar"):
        assert (
            sum(f"{what} cannot be read (Permission denied); give a f" in line for line in lines)
            == 1
        ), what


def test_names_of_bytes_that_are_no_utf8_are_read_and_shown(run, wav, tmp_path):
    path = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.wav")
    os.rename(wav(), path)
    for form in ("table", "json", "csv"):
        code, out, err = run("tag", "--format", form, "--plot", tmp_path / "x.svg", path)
        assert (code, err) == (0, "") and "caf\\udce9.wav" in out.replace("\\\\", "\\")
    assert run("tag", tmp_path)[0] == 0


def test_halves_of_the_published_mp3s_are_cut_short_and_the_whole_is_not(run, real_data, tmp_path):
    for name in ("actionable", "thejazzpiano"):
        data = (real_data / f"audio/bensound-{name}.mp3").read_bytes()
        assert b"Xing" not in data[:8192] and b"Info" not in data[:8192], (
            "nothing but its frames tells how long it is"
        )
        half = holding(tmp_path / "half.mp3", data[: len(data) // 2])
        code, _, err = run("tag", half)
        assert code == 2 and "is cut short" in err and err.count("\n") == 1
        for tail in (b"", b"APETAGEX" + struct.pack("<4I8x", 2000, 32, 0, 0), b"TAG" + bytes(125)):
            assert run("tag", holding(tmp_path / "whole.mp3", data[:-128] + tail))[0] == 0


def test_silent_frames_are_remarked(run, tmp_path):
    code, out, err = run("tag", "--frames", "all", silent_centre(tmp_path / "edges.wav"))
    assert code == 0 and "[mean]" in out and err == ""
    assert "nothing but silence" in out and "in 1 of 2 frames (1)" in out


def test_the_library_refuses_options_that_there_are_not(stand_ins, wav):
    tagger, path = load_tagger("CRNN", stand_ins / "seeded-CRNN.h5"), wav()
    cases = {
        "did you mean all?": {"frames": "al"},
        "did you mean today?": {"front_end": "Toda"},
        "1 or more": {"batch_size": 0},
        "a whole number": {"batch_size": 2.0},
    }
    for said, options in cases.items():
        with pytest.raises(ValueError, match=said.replace("?", r"\?")):
            tagger.tag(path, **options)
    with pytest.raises(ValueError, match="front_end is 'x'"):
        melgram(path, "x")


def test_an_unknown_model_suggests_the_nearest(run, wav):
    code, out, err = run("tag", "-m", "crnm", wav())
    assert (code, out) == (2, "") and "did you mean CRNN" in err and err.count("\n") == 1


def test_weights_of_another_model_are_refused(run, wav, stand_ins):
    code, _, err = run("tag", "-m", "CRNN", "--weights", stand_ins / "seeded-CNN.h5", wav())
    assert code == 2 and "not CRNN" in err and err.count("\n") == 1


def test_a_pickled_npz_is_refused_unread(run, wav, tmp_path):
    class Trap:
        def __reduce__(self):
            return (open, (str(tmp_path / "sprung"), "w"))

    np.savez(tmp_path / "trap.npz", **{"norm0/avg_var": np.array([Trap()], dtype=object)})
    code, _, err = run("tag", "--weights", tmp_path / "trap.npz", wav())
    assert code == 2 and "pickled" in err and not (tmp_path / "sprung").exists()


def test_without_weights_the_ways_to_get_them_are_named(nowhere, capsys, wav):
    from tagger.__main__ import main

    assert main(["tag", str(wav())]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and all(
        way in err for way in ("make fixtures", "PARITY_DATA", "--weights", "--seeded")
    )


def test_stand_ins_that_cannot_be_made_are_one_sentence(run, wav, tmp_path, monkeypatch):
    (tmp_path / "cache").write_text("a file where a folder should be")
    monkeypatch.setenv("PARITY_FIXTURES", str(tmp_path / "cache"))
    code, out, err = run("tag", wav())
    assert (code, out) == (2, "") and err.count("\n") == 1


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("**/*.wav", {"top.wav", "a/one.wav", "a/b/two.wav"}),
        ("a/**/*.wav", {"a/one.wav", "a/b/two.wav"}),
        ("**/b/*", {"a/b/two.wav"}),
        ("**/**/**/**/**/**/**/**/**/two.wav", {"a/b/two.wav"}),
        ("*/*.wav", {"a/one.wav"}),
        ("**", {"top.wav", "a/one.wav", "a/b/two.wav"}),
        ("**/none*", set()),
    ],
)
def test_patterns_find_what_the_shell_finds_in_a_bounded_time(tmp_path, pattern, found):
    """Links that lead back multiply what glob's ** goes through: it would not end."""
    for name in ("top.wav", "a/one.wav", "a/b/two.wav", ".hidden/three.wav", "a/text.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).touch()
    for name in ("x", "y", "z"):
        (tmp_path / "a" / "b" / name).symlink_to(tmp_path)
    paths = audio_files([str(tmp_path / pattern)]).paths
    paths = {str(path.relative_to(tmp_path)) for path in paths}
    assert {path for path in paths if "hidden" not in path} == found
