"""Bad input: one sentence each; exit 2 where nothing could be done, 1 where the other files are tagged all the same."""

import json
import sys

import numpy as np
import pytest
import soundfile

from port import load_tagger


def cut_short(path, keep=0.5):
    path.write_bytes(path.read_bytes()[: int(keep * path.stat().st_size)])
    return path


def holding(path, data):
    path.write_bytes(data)
    return path


def spoilt(path):
    samples = np.full(1000, 0.1, np.float32)
    samples[7] = np.nan
    soundfile.write(path, samples, 12000, subtype="FLOAT")
    return path


BAD = {
    "missing": (lambda wav, folder: folder / "none.wav", "is not there"),
    "empty": (lambda wav, folder: holding(folder / "empty.wav", b""), "cannot be read as audio"),
    "cut short": (lambda wav, folder: cut_short(wav("cut.wav")), "is cut short"),
    "cut short, flac": (lambda wav, folder: cut_short(wav("cut.flac")), "cannot be read as audio"),
    "cut short, mp3": (lambda wav, folder: cut_short(wav("cut.mp3", subtype="MPEG_LAYER_III")), "is cut short"),
    "cut short, tagged mp3": (lambda wav, folder: cut_short(_tagged(wav("cut.mp3", subtype="MPEG_LAYER_III"))), "is cut short"),
    "cut short, ogg": (lambda wav, folder: cut_short(wav("cut.ogg", subtype="VORBIS", seconds=60)), "is cut short"),
    "cut short, aiff": (lambda wav, folder: cut_short(wav("cut.aiff")), "is cut short"),
    "cut within its header": (lambda wav, folder: cut_short(wav("cut.wav"), keep=5e-5), "cannot be read as audio"),
    "without a sample": (lambda wav, folder: wav("nothing.wav", seconds=0), "holds no sample"),
    "silent": (lambda wav, folder: _silence(folder / "silent.wav"), "nothing but silence"),
    "text": (lambda wav, folder: holding(folder / "text.mp3", b"not a song, whatever its name says"), "cannot be read as audio"),
    "NaN": (lambda wav, folder: spoilt(folder / "nan.wav"), "holds NaN"),
    "a folder without audio": (lambda wav, folder: _folder(folder / "empty"), "holds no audio file"),
    "a pattern without a match": (lambda wav, folder: folder / "*.flac", "matches no file"),
    "an empty name": (lambda wav, folder: "", "an empty name"),
    "no file": (lambda wav, folder: "/dev/null", "is no file"),
    "a name with a line break": (lambda wav, folder: folder / "two\nlines.wav", "two\\nlines.wav is not there"),
}


def _silence(path):
    soundfile.write(path, np.zeros(1000), 12000)
    return path


def _tagged(path):
    """An MP3 with 1000 bytes of ID3 before its first frame."""
    return holding(path, b"ID3\x04\0\0\0\0\x07\x68" + bytes(1000) + path.read_bytes())


def _folder(path):
    path.mkdir()
    return path


@pytest.mark.parametrize("case", BAD)
def test_bad_audio_is_one_sentence_and_the_rest_is_tagged(case, run, wav, tmp_path):
    make, said = BAD[case]
    bad = make(wav, tmp_path)
    code, out, err = run("tag", "--format", "json", bad)
    assert code == 2 and json.loads(out)["tracks"] == []
    assert said in err and err.count("\n") == 1 and "; " in err, "what, where; what to do"
    code, out, _ = run("tag", "--format", "json", bad, wav("good.wav"))
    document = json.loads(out)
    assert code == 1 and len(document["tracks"]) == len(document["failed"]) == 1 and said in document["failed"][0]


@pytest.mark.parametrize("rate_hz", [12000, 192000])
@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24"])
def test_other_rates_and_widths_are_read(rate_hz, subtype, run, wav):
    code, _, err = run("tag", wav(rate_hz=rate_hz, subtype=subtype, channels=6))
    assert (code, err) == (0, "")


@pytest.mark.parametrize("kind", [{"name": "x.mp3", "subtype": "MPEG_LAYER_III"}, {"name": "x.ogg", "subtype": "VORBIS", "seconds": 60},
                                  {"name": "x.aiff"}, {"name": "x.flac"}])
def test_whole_files_of_every_kind_are_not_taken_for_cut_ones(kind, run, wav):
    code, _, err = run("tag", wav(**kind))
    assert (code, err) == (0, "")


def test_what_is_missing_from_a_slow_recording_is_remarked(run, wav):
    code, out, err = run("tag", "--format", "json", wav(rate_hz=8000), wav("fine.wav"))
    assert code == 0 and err.count("\n") == 1 and "8000 Hz: everything above 4000 Hz is missing" in err
    slow, fine = json.loads(out)["tracks"]
    assert "8000 Hz" in slow["remark"] and "remark" not in fine


def test_the_library_warns_of_a_slow_recording(stand_ins, wav):
    with pytest.warns(UserWarning, match="8000 Hz"):
        load_tagger("CRNN", stand_ins / "seeded-CRNN.h5").tag(wav(rate_hz=8000))


def test_an_unreadable_file_is_one_sentence(run, wav, monkeypatch):
    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    path = wav()
    monkeypatch.setattr("soundfile.SoundFile", refuse)  # root may read everything, so the refusal is made here
    code, _, err = run("tag", path)
    assert code == 2 and "cannot be read as audio" in err and err.count("\n") == 1


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
    from port.__main__ import main

    assert main(["tag", str(wav())]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and all(way in err for way in ("make fixtures", "PARITY_DATA", "--weights", "--seeded"))


def test_stand_ins_that_cannot_be_made_are_one_sentence(run, wav, tmp_path, monkeypatch):
    (tmp_path / "cache").write_text("a file where a folder should be")
    monkeypatch.setenv("PARITY_FIXTURES", str(tmp_path / "cache"))
    code, out, err = run("tag", wav())
    assert (code, out) == (2, "") and err.count("\n") == 1
    monkeypatch.setitem(sys.modules, "fixtures", None)  # the port alone, without the project
    code, out, err = run("tag", wav())
    assert (code, out) == (2, "") and "--weights FILE" in err and err.count("\n") == 1
