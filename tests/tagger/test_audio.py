"""The mel spectrogram's edge and length rules, on wav files made here."""

import subprocess
import sys

import numpy as np
import pytest
import soundfile

from tagger import audio
from tagger.audio import CLIP_SAMPLES, SAMPLE_RATE_HZ, AudioError, centre, melgram


@pytest.fixture
def wav(tmp_path):
    def write(samples, rate_hz=SAMPLE_RATE_HZ, name="clip.wav"):
        soundfile.write(tmp_path / name, samples, rate_hz, subtype="FLOAT")
        return tmp_path / name

    return write


def noise(samples, channels=1):
    # Louder and louder, so that every shift in time shows.
    rng = np.random.default_rng(9)
    return (rng.normal(0, 0.1, (samples, channels)) * np.linspace(0.1, 1, samples)[:, None]).astype(
        np.float32
    )


@pytest.mark.parametrize("excess", [0, 1, 2, 1001])
def test_the_centre_of_a_longer_clip_counts(excess):
    samples = np.arange(CLIP_SAMPLES + excess)
    taken = centre(samples)
    # keunwoochoi's slice: [(n - fit) / 2 : (n + fit) / 2] in integers.
    np.testing.assert_array_equal(taken, samples[excess // 2 : (len(samples) + CLIP_SAMPLES) // 2])
    assert len(taken) == CLIP_SAMPLES == int(29.12 * SAMPLE_RATE_HZ)


@pytest.mark.parametrize("length", [1, 511, CLIP_SAMPLES - 1])
def test_a_shorter_clip_gets_zeros_after_it(length):
    taken = centre(np.ones(length, np.float32))
    assert taken[:length].all() and not taken[length:].any() and len(taken) == CLIP_SAMPLES


def test_melgram_shape_dtype_and_range(wav):
    mel = melgram(wav(noise(CLIP_SAMPLES)))
    assert mel.shape == (1, 1, 96, 1366) and mel.dtype == np.float32
    assert mel.max() - mel.min() <= 80 + 1e-4


def test_stereo_is_mixed(wav):
    stereo = noise(40000, channels=2)
    mixed = melgram(wav(stereo.mean(axis=1), name="mixed.wav"))
    np.testing.assert_allclose(melgram(wav(stereo)), mixed, atol=1e-3)


def test_the_middle_of_a_long_file_is_what_a_cut_file_gives(wav):
    long = noise(CLIP_SAMPLES + 5001)
    np.testing.assert_array_equal(
        melgram(wav(long)), melgram(wav(long[2500 : 2500 + CLIP_SAMPLES], name="cut.wav"))
    )


@pytest.mark.slow
def test_decibel_of_the_squared_mel_power(wav):
    import librosa

    samples = noise(CLIP_SAMPLES)[:, 0]
    power = librosa.feature.melspectrogram(
        y=samples, sr=12000, n_fft=512, hop_length=256, n_mels=96, pad_mode="reflect"
    )
    decibel = 10 * np.log10(np.maximum(1e-10, power.astype(np.float64) ** 2))
    np.testing.assert_allclose(
        melgram(wav(samples))[0, 0], np.maximum(decibel, decibel.max() - 80), atol=1e-3
    )


def test_another_sampling_rate_is_resampled(wav):
    t = np.arange(2 * 44100) / 44100
    mel = melgram(wav(np.sin(2 * np.pi * 1000 * t).astype(np.float32), rate_hz=44100))[0, 0]
    tone_there = mel[:, 20:80].mean(axis=1)
    assert tone_there.argmax() == mel[:, 40].argmax() and mel[:, 100:].max() == mel.min(), (
        "2 s of tone, silence after"
    )


def test_silence_is_silence(wav):
    np.testing.assert_allclose(melgram(wav(np.zeros(1000, np.float32))), -100, rtol=1e-6)


def test_bad_audio_is_one_sentence(tmp_path, wav):
    (tmp_path / "text.mp3").write_text("not a song")
    (tmp_path / "empty.wav").write_bytes(b"")
    spoilt = noise(1000)
    spoilt[5] = np.nan
    cases = {
        tmp_path / "none.wav": "is not there",
        tmp_path: "is no file",
        tmp_path / "text.mp3": "cannot be read as audio",
        tmp_path / "empty.wav": "is empty",
        wav(np.zeros((0, 1), np.float32), name="nothing.wav"): "holds no sample",
        wav(spoilt, name="nan.wav"): "holds NaN or infinite samples",
    }
    for path, said in cases.items():
        with pytest.raises(AudioError) as caught:
            melgram(path)
        assert (
            said in str(caught.value)
            and str(path) in str(caught.value)
            and "\n" not in str(caught.value)
        )


def test_importing_the_module_does_not_import_librosa():
    code = "import sys, tagger.audio; sys.exit('librosa' in sys.modules)"
    assert (
        audio.CLIP_FRAMES == 1366
        and subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    )


def test_the_numbers_are_librosas(wav):
    import librosa

    from tagger import mel

    samples = noise(CLIP_SAMPLES)[:, 0]
    power = librosa.feature.melspectrogram(
        y=samples, sr=12000, n_fft=512, hop_length=256, n_mels=96, pad_mode="reflect"
    )
    np.testing.assert_array_equal(
        mel._filters(), librosa.filters.mel(sr=12000, n_fft=512, n_mels=96)
    )
    np.testing.assert_allclose(
        mel.decibel_of(samples), librosa.amplitude_to_db(power, ref=1.0), rtol=0, atol=2e-4
    )


def test_frames_follow_each_other_and_the_rest_is_dropped():
    samples = np.arange(2 * CLIP_SAMPLES + 5)
    first, second = audio.frames(samples)
    np.testing.assert_array_equal(np.concatenate([first, second]), samples[: 2 * CLIP_SAMPLES])
    assert (
        len(audio.frames(samples[:100])) == 1
        and len(audio.frames(samples[:100])[0]) == CLIP_SAMPLES
    )


def test_a_wav_cut_short_is_refused(wav):
    path = wav(noise(5000))
    path.write_bytes(path.read_bytes()[:9000])
    with pytest.raises(AudioError, match="is cut short"):
        melgram(path)


@pytest.mark.slow
def test_an_hour_needs_no_more_than_a_gibibyte(tmp_path):
    path, rate_hz = tmp_path / "hour.wav", 44100
    sound = noise(rate_hz, channels=2)
    soundfile.write(path, sound, rate_hz, subtype="PCM_16")
    data_bytes = 3600 * rate_hz * 2 * 2
    with open(
        path, "r+b"
    ) as stream:  # the rest of the hour is a hole in the file: silence that takes no disk
        stream.seek(4)
        stream.write(np.uint32(data_bytes + 36).tobytes())
        stream.seek(40)
        stream.write(np.uint32(data_bytes).tobytes())
        stream.truncate(data_bytes + 44)
    code = f"""if True:
        import tagger.audio
        samples = tagger.reading.read({str(path)!r}, "today")[0]
        clips = [tagger.audio.melgram_of(clip) for clip in tagger.audio.frames(samples)]
        peak = [line for line in open("/proc/self/status") if line.startswith("VmHWM")][0]
        print(len(samples), len(clips), peak.split()[1])"""  # ru_maxrss counts the parent's memory too
    said = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], check=True, capture_output=True
    ).stdout
    samples, clips, peak_kib = map(int, said.split())
    assert (samples, clips) == (3600 * 12000, 123) and peak_kib < 1 << 20
