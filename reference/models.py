"""The original taggers as Keras models, Theano ordering: CRNN, CRNN50, CNN0, CNN. Import
`reference.legacy` and apply it first.

Sources, github.com/keunwoochoi/music-auto_tagging-keras at
90b294091adaada477b9003201dd20a9fe15a3c1:
  CNN     music_tagger_cnn.py   MusicTaggerCNN CNN0    audio_convnet.py      AudioConvnet, the same
  network with bn1..bn5 in mode 2 CRNN50  music_tagger_crnn.py  MusicTaggerCRNN
and github.com/jsalbert/Music-Genre-Classification-with-Deep-Learning at
d3b6e4f36420f4f7691e28c268ba6c1efdeceafd:
  CRNN    tagger_net.py         MusicTaggerCRNN, the last layer replaced by `preds` for 10 genres
Its `trainable=False` on the convolution blocks concerns fine-tuning only and is left out.
"""

from collections import namedtuple

from keras.layers import (
    ELU,
    GRU,
    BatchNormalization,
    Convolution2D,
    Dense,
    Dropout,
    Flatten,
    Input,
    MaxPooling2D,
    Permute,
    Reshape,
    ZeroPadding2D,
)
from keras.models import Model

INPUT_SHAPE = (1, 96, 1366)  # C, F, T: the mel spectrogram in decibel

Block = namedtuple("Block", "channels pool")
Original = namedtuple("Original", "stem blocks bn_mode dropout head")

_CNN_BLOCKS = (
    Block(32, (2, 4)),
    Block(128, (2, 4)),
    Block(128, (2, 4)),
    Block(192, (3, 5)),
    Block(256, (4, 4)),
)
_CRNN_BLOCKS = (Block(64, (2, 2)), Block(128, (3, 3)), Block(128, (4, 4)), Block(128, (4, 4)))


def _cnn_stem():
    return [
        BatchNormalization(axis=3, name="bn_0_freq")
    ]  # one mean per time frame, whatever the name says


def _crnn_stem():
    return [
        ZeroPadding2D(padding=(0, 37), name="zeropadding2d_1"),
        *_cnn_stem(),
    ]  # (B, 1, 96, 1440)


def _cnn_head():
    return [Flatten(name="flatten_1"), Dense(50, activation="sigmoid", name="output")]


def _crnn_head(dropout_name, dense_name, tags):
    return [
        Permute((3, 1, 2), name="permute_1"),  # (B, T, C, F) = (B, 15, 128, 1)
        Reshape((15, 128), name="reshape_1"),
        GRU(32, return_sequences=True, name="gru1"),
        GRU(32, return_sequences=False, name="gru2"),
        Dropout(0.3, name=dropout_name),
        Dense(tags, activation="sigmoid", name=dense_name),
    ]


ORIGINALS = {
    "CRNN": Original(
        _crnn_stem, _CRNN_BLOCKS, 0, 0.1, lambda: _crnn_head("final_drop", "preds", 10)
    ),
    "CRNN50": Original(
        _crnn_stem, _CRNN_BLOCKS, 0, 0.5, lambda: _crnn_head("dropout_1", "output", 50)
    ),
    "CNN0": Original(_cnn_stem, _CNN_BLOCKS, 2, 0.5, _cnn_head),
    "CNN": Original(_cnn_stem, _CNN_BLOCKS, 0, 0.5, _cnn_head),
}


def _block(number, block, original):
    return [
        Convolution2D(block.channels, 3, 3, border_mode="same", name=f"conv{number}"),
        BatchNormalization(axis=1, mode=original.bn_mode, name=f"bn{number}"),
        ELU(name=f"elu_{number}"),
        MaxPooling2D(pool_size=block.pool, strides=block.pool, name=f"pool{number}"),
        Dropout(original.dropout, name=f"dropout{number}"),
    ]


def build(name):
    """The Keras model `name` of ORIGINALS, weights uninitialised: (B, 1, 96, 1366) decibel -> (B,
    tags) in [0, 1].
    """
    original = ORIGINALS[name]
    blocks = [
        layer
        for number, block in enumerate(original.blocks, 1)
        for layer in _block(number, block, original)
    ]
    entry = flow = Input(shape=INPUT_SHAPE, name="input_1")
    for layer in [*original.stem(), *blocks, *original.head()]:
        flow = layer(flow)
    return Model(entry, flow)
