"""Bad input: one sentence each; exit 2 where nothing could be done, 1 where the other files are tagged all the same."""

import json

import numpy as np
import pytest
import soundfile


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
    "without a sample": (lambda wav, folder: wav("nothing.wav", seconds=0), "holds no sample"),
    "silent": (lambda wav, folder: _silence(folder / "silent.wav"), "nothing but silence"),
    "text": (lambda wav, folder: holding(folder / "text.mp3", b"not a song, whatever its name says"), "cannot be read as audio"),
    "NaN": (lambda wav, folder: spoilt(folder / "nan.wav"), "holds NaN"),
    "a folder without audio": (lambda wav, folder: _folder(folder / "empty"), "holds no audio file"),
    "a pattern without a match": (lambda wav, folder: folder / "*.flac", "matches no file"),
    "a name with a line break": (lambda wav, folder: folder / "two\nlines.wav", "two\\nlines.wav is not there"),
}


def _silence(path):
    soundfile.write(path, np.zeros(1000), 12000)
    return path


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


@pytest.mark.parametrize("rate_hz", [8000, 192000])
@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24"])
def test_other_rates_and_widths_are_read(rate_hz, subtype, run, wav):
    code, _, err = run("tag", wav(rate_hz=rate_hz, subtype=subtype, channels=6))
    assert (code, err) == (0, "")


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


def test_an_empty_folder_of_stand_ins_says_how_to_fill_it(run, wav, tmp_path):
    code, _, err = run("tag", "--seeded", tmp_path, wav())
    assert code == 2 and "python -m fixtures seeded" in err and err.count("\n") == 1
