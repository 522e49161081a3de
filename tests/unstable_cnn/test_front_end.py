"""The front end's question can be answered either way: sounds made here, and spectrograms of them
made in other ways.
"""

import functools
import math

import numpy as np
import pytest
import soundfile
from small_networks import ask, tell

from parity.errors import CannotRun
from parity.model import MODELS, Case, Weights
from parity.studies.unstable_cnn import (
    front_end,
    front_end_control,
    front_end_delays,
    front_end_fit,
    front_end_tags,
    front_end_variants,
    questions,
)
from parity.studies.unstable_cnn.alignment import Alignment, align
from parity.studies.unstable_cnn.findings import NEEDS_REAL, PROVED, REFUTED, UNDECIDABLE
from parity.studies.unstable_cnn.front_end_variants import (
    CLIP_SAMPLES,
    FrontEnd,
    Track,
    filters,
    middle,
    read,
    spectrogram,
)
from parity.studies.unstable_cnn.subject import Subject, pairs_in

pytestmark = pytest.mark.slow

OF_2016 = FrontEnd(late=529, sample="16 bits, rounded", resampler="resampy's kaiser_best")


@pytest.fixture(scope="module")
def quiet_sound():
    return front_end_control.sound()


@pytest.fixture(scope="module")
def planted():
    """What the search finds where the difference is known."""
    return front_end_control.planted()


@pytest.fixture
def subject_of(tmp_path):
    """A Subject with one clip, stored as given, and its recording where there is one."""

    def make(stored, track=None, given=()):
        audio = {}
        if track is not None:
            audio["sound.wav"] = tmp_path / "sound.wav"
            soundfile.write(audio["sound.wav"], track.samples, track.rate_hz, subtype="FLOAT")
        case = Case(MODELS["CNN"], Weights(tmp_path / "none.h5"), tuple(given), "real")
        return Subject(
            {"CNN": case}, {"sound": stored[None, None].astype(np.float32)}, audio, "real"
        )

    return make


@pytest.fixture
def tags_by_loudness(monkeypatch):
    """Networks in the originals' and the port's place whose scores are the first bands' mean
    powers.
    """

    def scores(subject, given):
        found = {
            label: np.exp(batch[:, 0].mean(axis=2)[:, :50] / 20) for label, batch in given.items()
        }
        return {"CNN": {"original": found, "port": found}}

    monkeypatch.setattr(front_end_tags, "scores", scores)


def test_the_defaults_are_the_ports_own(tmp_path):
    from tagger.audio import melgram

    for rate_hz in (12000, 44100):
        track = front_end_control.sound(rate_hz)
        soundfile.write(tmp_path / "sound.wav", track.samples, rate_hz, subtype="FLOAT")
        np.testing.assert_allclose(
            spectrogram(track, FrontEnd()), melgram(tmp_path / "sound.wav")[0, 0], rtol=0, atol=2e-3
        )
        np.testing.assert_array_equal(
            spectrogram(read(tmp_path / "sound.wav"), FrontEnd()), spectrogram(track, FrontEnd())
        )


def test_the_mel_bands_are_triangles_on_their_scale():
    from tagger.mel import _filters

    np.testing.assert_allclose(filters("Slaney", True, 6000.0, 512), _filters(), rtol=0, atol=1e-6)
    fine = filters("HTK", False, 6000.0, 65536)
    tops_hz, top_mel = (
        fine.argmax(axis=1) * 12000 / 65536,
        2595 * np.log10(1 + 6000 / 700),
    )  # HTK's book, 5.4
    np.testing.assert_allclose(
        2595 * np.log10(1 + tops_hz / 700), np.arange(1, 97) * top_mel / 97, rtol=0, atol=0.3
    )
    np.testing.assert_allclose(fine.max(axis=1), 1, rtol=0, atol=0.01)
    np.testing.assert_allclose(
        filters("HTK", True, 6000.0, 65536).sum(axis=1) * 12000 / 65536, 1, rtol=1e-3
    )


def test_a_long_files_middle_stays_the_middle():
    from tagger.audio import centre

    track = front_end_control.sound(44100)
    long = np.concatenate(
        [
            np.zeros((44100 * 20 + 1, 1), np.float32),
            track.samples,
            np.zeros((44100 * 20, 1), np.float32),
        ]
    )
    cut = middle(long, 44100)
    assert len(cut) < 41 * 44100
    np.testing.assert_allclose(
        *(centre(Track(each, 44100).at_12_khz(FrontEnd())) for each in (cut, long)),
        rtol=0,
        atol=1e-6,
    )


@pytest.mark.parametrize("late", [37, -37, 1000])
@pytest.mark.parametrize(
    "hidden",
    [FrontEnd(), FrontEnd(value="mel power", reference="the loudest"), FrontEnd(span="60 dB")],
)
def test_a_shift_is_found_to_the_sample_whatever_else_differs(quiet_sound, late, hidden):
    found = align(quiet_sound, spectrogram(quiet_sound, hidden._replace(late=late)), FrontEnd())
    assert found.late == late and abs(found.exact - late) <= max(found.give, 0.02) < 0.5


def test_a_shift_between_two_samples_is_not_called_whole():
    import soxr

    twice = soxr.resample(front_end_control.sound(24000).samples, 24000, 48000, "VHQ")
    found = align(
        Track(twice[::2], 24000), spectrogram(Track(twice, 48000), FrontEnd(late=75)), FrontEnd()
    )
    assert found.exact == pytest.approx(37.5, abs=0.1) and found.give > 0.01


def test_what_was_planted_is_found_and_named(planted):
    assert {
        name: found.front_end for name, (_, found) in planted.items()
    } == front_end_control.PLANTED
    assert front_end.controlled(planted).holds is True
    front_ends, fits = zip(*planted.values(), strict=True)
    turned = dict(zip(planted, zip(front_ends[::-1], fits, strict=True), strict=True))
    assert front_end.controlled(turned).holds is False


def test_the_front_end_of_2016_is_found_by_name():
    track = front_end_control.sound(44100)
    found = front_end_fit.fit(track, spectrogram(track, OF_2016))
    assert found.front_end == OF_2016 and found.left["rms_db"] == 0 and found.alignment.exact == 529
    assert [step.field for step in found.steps] == ["", "late", "resampler", "sample"]
    assert set(found.undone) == {
        ("late", "0 samples later"),
        ("sample", "float"),
        ("resampler", "soxr HQ"),
    }
    assert min(found.undone.values()) > 0
    measured = [(len(track.samples), 44100, found.alignment.exact, found.alignment.give)]
    assert "the decoder's own delay, and the length is kept" in [
        delay.name for delay in front_end_delays.explaining(measured)
    ]


def test_what_a_decoder_may_have_done_to_the_samples():
    track = Track(
        np.array([[0.6, 0.0], [-1.4, 0.0], [40000.0, 40000.0]], np.float32) / np.float32(32768),
        12000,
    )
    ways = {
        "sample": {
            "float": [0.3, -0.7, 40000],
            "16 bits, rounded": [0, -1, 32767],
            "16 bits, cut off": [0, 0, 32767],
        },
        "channel": {"the first": [0.6, -1.4, 40000], "sum of all": [0.6, -1.4, 80000]},
    }
    for field, names in ways.items():
        for name, units in names.items():
            np.testing.assert_allclose(
                track.at_12_khz(FrontEnd(**{field: name})) * 32768, units, rtol=1e-6, err_msg=name
            )


def test_a_reference_is_named_where_a_gain_would_do_as_well(quiet_sound):
    noise = np.random.default_rng(5).normal(0, 1e-3, (96, 1366))
    planted = FrontEnd(reference="the loudest")
    assert (
        front_end_fit.fit(quiet_sound, spectrogram(quiet_sound, planted) + noise).front_end
        == planted
    )


def test_a_shift_that_the_wrong_front_end_got_wrong_is_mended(quiet_sound, monkeypatch):
    monkeypatch.setattr(front_end_fit, "align", lambda *given: Alignment(39, 39.0, 0.1, {}))
    assert front_end_fit.fit(
        quiet_sound, spectrogram(quiet_sound, FrontEnd(late=37))
    ).front_end == FrontEnd(late=37)


@pytest.mark.parametrize("rate_hz", [44100, 48000, 22050, 8000])
@pytest.mark.parametrize("count", [5000, 5001])
def test_resamplers_called_after_scipy_are_scipys(rate_hz, count):
    from scipy.signal import resample, resample_poly

    x = np.random.default_rng(count).standard_normal(count).astype(np.float32)
    common = math.gcd(rate_hz, 12000)
    for name, theirs in (
        ("scipy, Fourier", resample(x, -(-count * 12000 // rate_hz))),
        ("scipy, polyphase", resample_poly(x, 12000 // common, rate_hz // common)),
    ):
        ours = front_end_variants._RESAMPLERS[name](x, rate_hz)
        assert ours.dtype == np.float32
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=4e-6)


def test_a_channel_left_out_is_named():
    mono = front_end_control.sound().samples
    track = Track(np.hstack([mono, front_end_control.sound(seed=1).samples]), 12000)
    assert front_end_fit.fit(
        track, spectrogram(track, FrontEnd(channel="the first"))
    ).front_end == FrontEnd(channel="the first")


def test_a_gain_is_a_gain(quiet_sound):
    found = front_end_fit.fit(quiet_sound, spectrogram(quiet_sound, FrontEnd()) + 3.5).front_end
    assert found.offset_db == pytest.approx(3.5) and found._replace(offset_db=0.0) == FrontEnd()


def test_silence_cannot_be_placed(quiet_sound):
    found = front_end_fit.fit(quiet_sound, np.full((96, 1366), -100.0))
    assert front_end.judge_shift([(found.alignment.late, found.alignment.give)]) is None
    assert front_end.judge_same([(found.left["rms_db"], found.noise_db)]) is False


@pytest.mark.parametrize(
    ("alignments", "said"),
    [
        ([(529, 0.01), (529, 0.02)], True),
        ([(0, 0.01), (0, 0.02)], False),
        ([(529, 0.01), (0, 0.02)], None),
        ([(529, 0.7)], None),
        ([(529, np.inf)], None),
        ([], None),
    ],
)
def test_the_verdict_on_the_shift(alignments, said):
    assert front_end.judge_shift(alignments) is said


def test_the_verdicts_on_differences():
    assert front_end.judge_same([(3e-5, 4e-4), (4e-4, 4e-4)]) is True
    assert front_end.judge_same([(3e-5, 4e-4), (5e-4, 4e-4)]) is False
    assert front_end.judge_same([]) is None


def test_the_verdict_on_the_tags():
    def rows(top):
        return [
            ["CNN", "a", front_end_tags.HERE, "jazz", top, -10.5, "jazz", 1.0, 10.5],
            ["CNN", "a", "another way", "jazz", "pop", 1.0, "pop", 1.0, 1.0],
        ]

    assert front_end.tags_changed(rows("jazz")).holds is False
    turned = tell("front_end", front_end.tags_changed(rows("rock")))
    assert (
        turned.verdict == PROVED
        and "1 of 1 first tags change, of 1 model on 1 clip (a): CNN calls a rock, not jazz;"
        in turned.claim
        and turned.effect.value == 10.5
    )
    assert f"change a first tag: {front_end_tags.HERE} (CNN); another way (CNN)." in turned.claim
    assert tell("front_end", front_end.tags_changed(rows("rock")), "seeded").scope == NEEDS_REAL


def test_a_delay_is_only_explained_within_what_was_measured():
    samples, rate_hz = 1400832, 44100
    explaining = functools.partial(front_end_delays.explaining)
    assert [delay.left_out for delay in explaining([(samples, rate_hz, 529.0, 0.01)])] == [529]
    assert [delay.left_out for delay in explaining([(samples, rate_hz, 1105.0, 0.01)])] == [1105]
    assert explaining([(samples, rate_hz, 530.0, 0.01)]) == []
    assert len(explaining([(samples, rate_hz, 529.0, 0.3)])) == 2, (
        "a shorter file could do it too, were the shift less sure"
    )


def test_two_clips_tell_more_than_one():
    assert (
        len(
            front_end_delays.explaining(
                [(1400832, 44100, 529.0, 0.3), (1413504, 44100, 529.0, 0.3)]
            )
        )
        == 1
    )


def said(findings):
    return {name: finding.verdict for name, finding in findings.items()}


def test_the_same_front_end_is_called_the_same(
    quiet_sound, planted, subject_of, tags_by_loudness, monkeypatch
):
    monkeypatch.setattr(front_end_control, "planted", lambda: planted)
    stored = spectrogram(quiet_sound, FrontEnd())
    assert said(ask("front_end", subject_of(stored, quiet_sound))) == {
        "front-end-same": PROVED,
        "front-end-shift": REFUTED,
        "front-end-causes": PROVED,
        "front-end-tags": REFUTED,
        "front-end-control": PROVED,
    }


def test_another_front_end_turns_every_finding_over(
    quiet_sound, planted, subject_of, tags_by_loudness, monkeypatch
):
    monkeypatch.setattr(front_end_control, "planted", lambda: planted)
    stored = spectrogram(quiet_sound, FrontEnd(late=37, bands="HTK, equal height"))
    findings = ask("front_end", subject_of(stored, quiet_sound))
    assert said(findings) == {
        "front-end-same": REFUTED,
        "front-end-shift": PROVED,
        "front-end-causes": PROVED,
        "front-end-tags": PROVED,
        "front-end-control": PROVED,
    }
    assert (
        "37 samples at 12000 Hz" in findings["front-end-shift"].claim
        and "HTK, equal height" in findings["front-end-causes"].claim
    )


def test_what_no_choice_explains_is_not_explained(
    quiet_sound, planted, subject_of, tags_by_loudness, monkeypatch
):
    monkeypatch.setattr(front_end_control, "planted", lambda: planted)
    noise = np.random.default_rng(4).normal(0, 1, (96, 1366))
    stored = spectrogram(quiet_sound, FrontEnd(late=37)) + noise
    found = ask("front_end", subject_of(stored, quiet_sound))["front-end-causes"]
    assert found.verdict == REFUTED
    assert found.effect.value == pytest.approx(0.8, abs=0.1)


def test_without_both_nothing_is_decided(planted, subject_of, quiet_sound, monkeypatch, tmp_path):
    monkeypatch.setattr(front_end_control, "planted", lambda: planted)
    stored = spectrogram(quiet_sound, FrontEnd())
    for subject in (
        subject_of(stored),
        subject_of(stored, quiet_sound, given=[tmp_path / "sound.wav"]),
    ):
        nothing, control = ask("front_end", subject).values()
        assert (nothing.verdict, nothing.scope, control.verdict) == (
            UNDECIDABLE,
            NEEDS_REAL,
            PROVED,
        )


def test_a_recording_that_cannot_be_used_is_left_out_in_a_sentence(
    planted, subject_of, quiet_sound, monkeypatch
):
    monkeypatch.setattr(front_end_control, "planted", lambda: planted)
    subject = subject_of(spectrogram(quiet_sound, FrontEnd()), quiet_sound)
    subject.audio["sound.wav"].write_bytes(b"no sound")
    assert "sound.wav cannot be read as audio" in ask("front_end", subject)["front-end-same"].claim
    soundfile.write(subject.audio["sound.wav"], np.zeros(100), 12000)
    assert "too short" in ask("front_end", subject)["front-end-same"].claim


@pytest.fixture
def folder_of_pairs(tmp_path, quiet_sound):
    """Two pairs in folders of their own, and files without a partner."""
    folder = tmp_path / "pairs"
    for name in (
        "mel/a.npy",
        "mel/b.npy",
        "mel/alone.npy",
        "more/a.npy",
        "sound/a.wav",
        "sound/b.flac",
    ):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".npy":
            late = 37 if path.stem == "a" else 0
            np.save(path, spectrogram(quiet_sound, FrontEnd(late=late))[None, None])
        else:
            soundfile.write(path, quiet_sound.samples, quiet_sound.rate_hz)
    (folder / "sound" / "c.mp3").write_bytes(b"alone, too")
    return folder


def test_a_folder_of_pairs_is_asked_in_place_of_the_clips(
    folder_of_pairs, subject_of, quiet_sound, planted, tags_by_loudness, monkeypatch
):
    monkeypatch.setattr(front_end_control, "planted", lambda: planted)
    found, left_out = pairs_in(folder_of_pairs)
    assert {name: [path.name for path in paths] for name, (_, paths) in found.items()} == {
        "a": ["a.wav"],
        "b": ["b.flac"],
    }
    reasons = dict(left_out)
    assert "no recording" in reasons[str(folder_of_pairs / "mel" / "alone.npy")]
    assert "a second spectrogram" in reasons[str(folder_of_pairs / "more" / "a.npy")]
    asked = subject_of(spectrogram(quiet_sound, FrontEnd()), quiet_sound)
    other = asked._replace(pairs=found)
    claim = ask("front_end", other)["front-end-tags"].claim
    assert "of 2 first tags change, of 1 model on 2 clips (a, b)" in claim
    assert "on 1 clip (sound)" in ask("front_end", asked)["front-end-tags"].claim
    asked.cases["CNN"].weights.path.touch()
    assert asked.identity() != other.identity(), "a kept answer is of other pairs"


def test_a_folder_without_a_pair_is_refused(folder_of_pairs):
    with pytest.raises(CannotRun, match=r"holds no mel spectrogram .* with a recording"):
        pairs_in(folder_of_pairs / "mel")


def test_originals_that_cannot_be_asked_cost_only_their_finding(
    quiet_sound, planted, subject_of, monkeypatch
):
    def refuse(subject, given):
        raise CannotRun("no Keras here")

    monkeypatch.setattr(front_end_control, "planted", lambda: planted)
    monkeypatch.setattr(front_end_tags, "scores", refuse)
    subject = subject_of(spectrogram(quiet_sound, FrontEnd(late=37)), quiet_sound)
    findings = ask("front_end", subject)
    assert (
        findings["front-end-tags"].verdict == UNDECIDABLE
        and "no Keras here" in findings["front-end-tags"].claim
    )
    outcomes = front_end.ask(subject)
    assert not questions.lasting(outcomes), "it is asked for again"
    assert questions.lasting([each for each in outcomes if each.finding != "tags-unknown"])
    assert findings["front-end-shift"].verdict == PROVED


@pytest.mark.parametrize(("late", "said"), [(0, PROVED), (37, REFUTED)])
def test_a_wav_is_the_mp3_or_it_is_not(quiet_sound, planted, late, said):
    moved = Track(np.roll(quiet_sound.samples, late, axis=0), quiet_sound.rate_hz)
    pair = front_end.Pair(
        "sound", spectrogram(quiet_sound, FrontEnd()), quiet_sound, moved, planted["nothing"][1]
    )
    finding = tell("front_end", front_end.as_wav([pair]))
    assert finding.verdict == said
    assert ("is not the mp3" in finding.claim) == (said == REFUTED)
    assert (finding.effect.value == 0) == (late == 0)


def test_a_clip_shorter_than_the_model_is_placed_too():
    track = Track(front_end_control.sound().samples[: CLIP_SAMPLES // 2], 12000)
    assert align(track, spectrogram(track, FrontEnd(late=37)), FrontEnd()).late == 37
