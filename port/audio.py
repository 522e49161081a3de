"""Audio file -> the mel spectrogram the taggers were trained on.

The rules of keunwoochoi/music-auto_tagging-keras, audio_processor.py (compute_melgram): the centre 29.12 s, zeros after
a shorter clip, dB of the squared mel power. librosa's defaults moved since 2016, so each one is spelled out.
"""

from pathlib import Path

import numpy as np

SAMPLE_RATE_HZ = 12000
FFT_SAMPLES = 512
HOP_SAMPLES = 256
MEL_BANDS = 96
CLIP_SAMPLES = 349440  # 29.12 s
CLIP_FRAMES = 1 + CLIP_SAMPLES // HOP_SAMPLES  # 1366
DYNAMIC_RANGE_DB = 80.0  # nothing lies further below a clip's loudest value

MEL = {
    "sr": SAMPLE_RATE_HZ,
    "n_fft": FFT_SAMPLES,
    "hop_length": HOP_SAMPLES,
    "win_length": FFT_SAMPLES,
    "window": "hann",
    "center": True,
    "pad_mode": "reflect",  # the default of the time; constant since librosa 0.9
    "power": 2.0,
    "n_mels": MEL_BANDS,
    "fmin": 0.0,
    "fmax": SAMPLE_RATE_HZ / 2,
    "htk": False,
    "norm": "slaney",
}
RESAMPLER = "soxr_hq"


class AudioError(ValueError):
    """Audio that cannot be read: one sentence with what, where and what to do."""


def melgram(path):
    """Mel spectrogram of the centre 29.12 s of an audio file: float32 (1,1,96,1366), in dB of the squared mel power.

    Raises AudioError where there is no sound to read.
    """
    return melgram_of(centre(load_mono(path)))


def load_mono(path):
    """Samples (n,) float32 at 12 kHz, the mean of all channels. Raises AudioError."""
    import soundfile

    if not Path(path).is_file():
        raise AudioError(f"{path} is not there; give an audio file (wav, flac, ogg, mp3)")
    try:
        samples, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)  # (n,channels)
    except (soundfile.SoundFileError, OSError) as error:
        raise AudioError(f"{path} cannot be read as audio; give a wav, flac, ogg or mp3 file") from error
    if not len(samples):
        raise AudioError(f"{path} holds no sample; give a file with sound in it")
    if not np.isfinite(samples).all():
        raise AudioError(f"{path} holds NaN or infinite samples; write it again from its source")
    return _resampled(samples.mean(axis=1), rate_hz)


def _resampled(samples, rate_hz):
    if rate_hz == SAMPLE_RATE_HZ:
        return samples
    import librosa  # takes seconds to import, so only where it is needed

    return librosa.resample(
        samples, orig_sr=rate_hz, target_sr=SAMPLE_RATE_HZ, res_type=RESAMPLER, fix=True, scale=False, axis=-1
    )


def centre(samples):
    """The middle CLIP_SAMPLES of samples (n,), or all of them with zeros after."""
    missing = CLIP_SAMPLES - len(samples)
    if missing > 0:
        return np.pad(samples, (0, missing))
    start = -missing // 2
    return samples[start : start + CLIP_SAMPLES]


def melgram_of(samples):
    """samples (349440,) float32 at 12 kHz -> (1,1,96,1366) float32, dB with reference 1.0 and a range of 80 dB."""
    import librosa

    power = librosa.feature.melspectrogram(y=samples, **MEL)  # (F,T)
    decibel = librosa.amplitude_to_db(power, ref=1.0, amin=1e-5, top_db=DYNAMIC_RANGE_DB)  # power in amplitude's place: squared
    return decibel.astype(np.float32)[None, None]
