"""The mutants, as data: one row says where the port is broken, how, and the cause that the harness
has to name. HARMLESS lists what a port may do and still be right.
"""

import chainer.functions as F
import numpy as np

from parity.faults import formulas, reorderings, subtle
from parity.faults.arrays import (
    filled,
    flipped,
    half,
    late,
    one_element,
    read_transposed,
    rolled,
    rounded,
    scaled,
    shifted,
    swapped,
    to_power,
    transposed,
)
from parity.faults.plant import (
    argument,
    attribute,
    batched,
    dialect,
    every_weight,
    exchanged_with,
    in_train_phase,
    own_weights,
    reads,
    several,
    stock,
    stock_throughout,
    swapped_gates,
    weight,
)
from parity.faults.table_row import BY_TRANSFORM, ELSEWHERE, Fault


class PublishedPort(Fault):
    """Every batch normalisation of a model is the published port's."""

    layer = "bn_0_freq"  # the first one


UNFLIPPED, NO_BIAS, NO_MEAN = "kernels not flipped", "bias left out", "mean not subtracted"
ONE_CHANNEL, AS_HALF = "parameters one channel off", "parameters stored as float16"
STD_AS_VARIANCE = "standard deviation taken for a variance"
BATCH_FOR_STORED = "batch statistics instead of the stored"
STORED_FOR_BATCH = "stored statistics instead of the batch's"
ROOT = "eps under the root: the published Chainer port's sqrt(std^2 + eps), eps {}"
TAP = "W (7, 9, 1, 1) is "
COVER_ALL = "last windows that are not full count (cover_all)"
EDGE, LATE = "padded with the edge's values", "one time frame late"
Z_SWAPPED, ZR_SWAPPED = "z and 1 - z swapped", "z and r swapped"
FLIP, TAP_AT = flipped(2, 3), (7, 9, 1, 1)


def _eps_once(variance, eps):
    return F.sqrt(variance + eps)


def _channels_last(x):
    return np.moveaxis(x, 1, -1).reshape(len(x), -1)


WEIGHTS = (
    Fault("CNN0-conv1-unflipped", weight("W", FLIP), UNFLIPPED),
    Fault("CNN0-conv3-unflipped", weight("W", FLIP), UNFLIPPED),
    Fault("CRNN-conv4-unflipped", weight("W", FLIP), UNFLIPPED),
    Fault("CNN-conv5-unflipped-rows", weight("W", flipped(2)), f"{UNFLIPPED} along their rows"),
    Fault("CRNN-conv1-unflipped-columns",
          weight("W", flipped(3)), f"{UNFLIPPED} along their columns"),
    Fault("CNN-conv2-transposed-kernels",
          weight("W", transposed(2, 3)), "kernel rows and columns transposed"),
    Fault("CRNN-conv3-transposed-channels",
          weight("W", transposed(0, 1)), "input and output channels of the kernels transposed"),
    Fault("CNN-conv3-two-filters-swapped",
          own_weights(swapped(7, 40)), "channels 7 and 40 swapped"),
    Fault("CNN0-conv5-filters-one-off", own_weights(rolled(1)), "channels one off"),
    Fault("CRNN-conv3-tap-one-percent", weight("W", one_element(TAP_AT, 1.01)), TAP),
    Fault("CRNN-conv3-tap-2e-5", weight("W", one_element(TAP_AT, 1 + 2e-5)), TAP),
    Fault("CNN-conv2-input-channel-one-off", weight("W", rolled(1, 1)), "input channels one off"),
    Fault("CNN0-conv4-kernels-swapped",
          weight("W", swapped(7, 40)), "kernels 7 and 40 swapped, not their biases"),
    Fault("CRNN-conv2-biases-one-off", weight("b", rolled(1)), "biases one off"),
    Fault("CRNN-conv3-unflipped-no-bias", several(weight("W", FLIP), weight("b", filled(0))),
          f"{UNFLIPPED}, {NO_BIAS}"),
    Fault("CNN0-conv4-no-bias", weight("b", filled(0)), NO_BIAS),
    Fault("CNN-conv4-half-weights", own_weights(half), AS_HALF),
    Fault("CRNN-conv2-bfloat16-weights", own_weights(rounded(8)), "parameters stored as bfloat16"),
    # batch normalisation
    Fault("CNN-bn1-std-for-variance",
          weight("running_std", np.sqrt), f"{STD_AS_VARIANCE} (Keras 1.0.7), eps 1e-06"),
    Fault("CNN-bn4-std-for-variance",
          weight("running_std", np.sqrt), f"{STD_AS_VARIANCE} (Keras 1.0.7), eps 1e-06"),
    Fault("CRNN-bn3-variance-squared", weight("running_std", np.square),
          "variance squared: stored standard deviations expected, eps 1e-05"),
    Fault("CRNN-bn2-no-mean", weight("running_mean", filled(0)), NO_MEAN),
    Fault("CNN-bn5-channels-one-off", own_weights(rolled(1)), ONE_CHANNEL),
    Fault("CNN0-bn2-gamma-16u", weight("gamma", scaled(1 + 2**-20)), "gain of all channels"),
    Fault("CNN-bn3-no-beta", weight("beta", filled(0)), "beta left out"),
    Fault("CNN0-bn_0_freq-frames-one-off", own_weights(rolled(1)), ONE_CHANNEL),
    Fault("CRNN-bn_0_freq-gamma-in-padding",
          weight("gamma", one_element((3,), 2)), "scale (3,) is off by "),
    # recurrence
    Fault("CRNN-gru1-z-and-r-swapped", swapped_gates("z", "r"), ZR_SWAPPED),
    Fault("CRNN-gru2-z-and-r-swapped", swapped_gates("z", "r"), ZR_SWAPPED),
    Fault("CRNN-gru1-recurrent-transposed", own_weights(np.transpose, ("U_z", "U_r", "U_h")),
          "recurrent matrices transposed"),
    Fault("CRNN-gru2-no-bias", own_weights(filled(0), ("b_z", "b_r", "b_h")), NO_BIAS),
    Fault("CRNN-gru2-half-weights", own_weights(half), AS_HALF),
    # dense
    Fault("CRNN-preds-transposed", weight("W", read_transposed), "matrix transposed"),
    Fault("CNN0-output-transposed", weight("W", read_transposed), "matrix transposed"),
    Fault("CNN-output-no-bias", weight("b", filled(0)), NO_BIAS),
    Fault("CNN-output-two-tags-swapped",
          own_weights(swapped(3, 4, axis=-1)), "units 3 and 4 swapped"),
    Fault("CRNN-preds-tags-one-off", own_weights(rolled(1, -1)), "units one off"),
    # the whole file
    Fault("CNN-bn_0_freq-half-file", every_weight(half), AS_HALF),
    Fault("CRNN-bn_0_freq-half-file", every_weight(half), AS_HALF),
)  # fmt: skip

CONFIGURATION = (
    # batch normalisation
    Fault("CNN-bn1-eps-1e-5", attribute(eps=1e-5), "eps 1e-05 instead of 1e-06"),
    Fault("CNN-bn1-eps-2e-5", attribute(eps=2e-5), "eps 2e-05 instead of 1e-06"),
    Fault("CNN-bn3-eps-1e-5", attribute(eps=1e-5), "eps 1e-05 instead of 1e-06"),
    Fault("CRNN-bn1-eps-2e-5", attribute(eps=2e-5), "eps 2e-05 instead of 1e-05"),
    Fault("CRNN-bn4-eps-1e-6", attribute(eps=1e-6), "eps 1e-06 instead of 1e-05", True),
    Fault("CNN0-bn1-eps-1e-3", attribute(eps=1e-3), "eps 0.001 instead of 1e-06"),
    Fault("CNN0-bn4-eps-1e-3", attribute(eps=1e-3), "eps 0.001 instead of 1e-06"),
    Fault("CNN-bn2-keras-1.0.7", dialect("1.0.7"), f"{STD_AS_VARIANCE} (Keras 1.0.7), eps 1e-06"),
    Fault("CNN-bn_0_freq-keras-1.0.8", several(dialect("1.0.8"), attribute(eps=1e-5)),
          f"{STD_AS_VARIANCE} (Keras 1.0.8 and later), eps 1e-05"),
    Fault("CRNN-bn_0_freq-keras-1.0.6", several(dialect("1.0.6"), attribute(eps=1e-6)),
          "variance taken for a standard deviation (Keras 1.0.6), eps 1e-06"),
    Fault("CNN0-bn3-keras-1.2.2", several(dialect("1.2.0"), attribute(eps=1e-3)),
          "eps once (Keras 1.0.8 and later), eps 0.001"),
    Fault("CNN0-bn1-eps-once", dialect(None, batch_divisor=_eps_once),
          "eps once (Keras 1.0.8 and later), eps 1e-06"),
    Fault("CNN-bn1-eps-twice",
          dialect(None, test_divisor=lambda std, eps: _eps_once(std * std, eps) + eps),
          "eps twice, eps 1e-06"),
    Fault("CRNN-bn1-eps-twice",
          dialect(None, test_divisor=lambda var, eps: _eps_once(var, eps) + eps),
          "eps twice, eps 1e-05"),
    Fault("CNN-bn2-mode-2", attribute(mode=2), BATCH_FOR_STORED),
    Fault("CNN0-bn5-mode-0", attribute(mode=0), STORED_FOR_BATCH),
    Fault("CRNN-bn1-wrong-axis", attribute(axis=2), "along axis 2"),
    # element-wise, pooling and shapes
    Fault("CRNN-elu_1-alpha-0.999", argument(alpha=0.999), "alpha 0.999 instead of 1"),
    Fault("CNN-elu_5-alpha-0.5", argument(alpha=0.5), "alpha 0.5 instead of 1"),
    Fault("CNN0-elu_2-keras-1.2.2", argument(keras="1.2.2"), "expm1 for exp - 1"),
    Fault("CNN0-pool1-pool-transposed",
          argument(pool_size=(4, 2)), "pool size and stride transposed"),
    Fault("CRNN-pool4-pool-2x2", argument(pool_size=(2, 2)), "pool size (2, 2)"),
    Fault("CRNN-zeropadding2d_1-one-column-less", argument(padding=(0, 36)), "padding (0, 36)"),
    Fault("CRNN-permute_1-dims-2-1-3", argument(dims=(2, 1, 3)), "dims (2, 1, 3)"),
    Fault("CRNN-reshape_1-128x15", argument(target_shape=(128, 15)), "target shape (128, 15)"),
    Fault("CRNN-gru1-last-for-sequences",
          attribute(return_sequences=False), "the last state only, without the sequence"),
    Fault("CRNN-gru2-sequences-for-last",
          attribute(return_sequences=True), "the whole sequence instead of its last state"),
)  # fmt: skip

CODE = (
    # convolution
    Fault("CNN0-conv2-valid-padding",
          formulas.padded(widths=((0, 0), (0, 0))), "no padding (border mode valid)"),
    Fault("CNN-conv1-replicated-border", formulas.padded(mode="edge"), EDGE),
    Fault("CRNN-conv4-padding-offset",
          formulas.padded(widths=((1, 1), (2, 0))), "padding one column too early"),
    Fault("CNN0-conv3-padding-offset", formulas.padded(widths=((2, 0), (0, 2))),
          "padding one row too high and one column too late"),
    Fault("CRNN-conv1-no-bias", formulas.without_bias(), NO_BIAS),
    Fault("CRNN-conv2-tf32-operands", formulas.low_precision(bits=11), "operands rounded to TF32"),
    Fault("CNN-conv3-bfloat16-operands",
          formulas.low_precision(bits=8), "operands rounded to bfloat16"),
    Fault("CNN0-conv5-one-frame-late", formulas.on_changed_input(change=late), LATE),
    # batch normalisation: the published port's own formulas, then others
    Fault("CNN-bn_0_freq-published-port",
          formulas.published_normalization(eps=1e-5), ROOT.format("1e-05")),
    Fault("CNN-bn1-published-port",
          formulas.published_normalization(eps=2e-5), ROOT.format("2e-05")),
    Fault("CNN-bn4-published-port",
          formulas.published_normalization(eps=2e-5), ROOT.format("2e-05"), True),
    Fault("CNN0-bn1-published-port",
          stock("published BatchNormalization"), "statistics summed one by one in float32"),
    Fault("CNN-bn1-chainers-link", stock("Chainer's BatchNormalization"),
          f"{STD_AS_VARIANCE} (Keras 1.0.8 and later), eps 2e-05"),
    Fault("CNN0-bn1-chainers-link", stock("Chainer's BatchNormalization"),
          f"{STORED_FOR_BATCH}, Chainer's 1/sqrt(s + eps), eps 2e-05"),
    Fault("CRNN-bn4-mean-dropped", formulas.without_mean(), NO_MEAN),
    Fault("CNN0-bn1-unbiased-variance",
          formulas.unbiased_normalization(), "unbiased batch variance"),
    Fault("CNN0-bn5-unbiased-variance",
          formulas.unbiased_normalization(), "unbiased batch variance"),
    Fault("CNN-bn1-train-phase", in_train_phase, BATCH_FOR_STORED),
    Fault("CNN-bn2-after-elu", exchanged_with("elu_2"), "wrong layer order: an ELU in its place"),
    # element-wise and pooling
    Fault("CNN-elu_1-relu", formulas.applied(function=F.relu), "ReLU"),
    Fault("CRNN-elu_4-leaky-relu",
          formulas.applied(function=F.leaky_relu), "leaky ReLU with slope 0.2"),
    Fault("CNN0-elu_5-selu", formulas.applied(function=F.selu), "SELU"),
    Fault("CNN-pool1-cover-all", formulas.pooled(cover_all=True), COVER_ALL),
    Fault("CRNN-pool2-cover-all", formulas.pooled(cover_all=True), COVER_ALL, True),
    Fault("CNN0-pool3-average",
          formulas.pooled(function=F.average_pooling_2d), "average instead of maximum"),
    Fault("CRNN-pool1-stride-1", formulas.pooled(stride=1, cover_all=False), "stride 1"),
    Fault("CNN-pool2-one-frame-late", formulas.pooled_late(), "windows start one column late"),
    Fault("CNN-dropout3-train-phase", in_train_phase, "dropout left on"),
    Fault("CRNN-final_drop-train-phase", in_train_phase, "dropout left on"),
    Fault("CRNN-zeropadding2d_1-edge", formulas.bordered(mode="edge"), EDGE),
    Fault("CRNN-zeropadding2d_1-minus-100-dB",
          formulas.bordered(constant_values=-100.0), "padded with -100"),
    Fault("CRNN-zeropadding2d_1-one-column-right",
          formulas.bordered(to_the_right=1), "padding (0, 36) before and (0, 38) after"),
    Fault("CNN-flatten_1-channels-last",
          formulas.applied(function=_channels_last), "channels last", True),
    # recurrence
    Fault("CRNN-gru1-z-swapped", formulas.gru(keep="1-z"), Z_SWAPPED),
    Fault("CRNN-gru2-z-swapped", formulas.gru(keep="1-z"), Z_SWAPPED),
    Fault("CRNN-gru1-reset-after", formulas.gru(reset="after"), "reset after the product"),
    Fault("CRNN-gru2-true-sigmoid", formulas.gru(gate=formulas.true_sigmoid), "true sigmoid gates"),
    Fault("CRNN-gru1-slope-one-sixth",
          formulas.gru(gate=formulas.one_sixth), "hard sigmoid of slope 1/6"),
    Fault("CRNN-gru1-second-bias", formulas.gru(biases=2), "bias on both products (added twice)"),
    Fault("CRNN-gru2-backwards", formulas.gru(backwards=True), "backwards in time"),
    Fault("CRNN-gru1-state-carried",
          formulas.gru(carried=True), "state carried over from clip to clip"),
    # dense
    Fault("CNN-output-softmax",
          formulas.scores(activation=F.softmax), "softmax instead of sigmoid"),
    Fault("CNN0-output-logits", formulas.scores(activation=lambda x: x), "no sigmoid"),
    Fault("CNN-output-tanh-sigmoid",
          formulas.scores(activation=F.sigmoid), "sigmoid by tanh"),
    Fault("CRNN-preds-no-bias", formulas.without_bias(), NO_BIAS),
)  # fmt: skip

INPUT = (
    Fault("CNN-bn_0_freq-frame-late", reads(late), LATE),
    Fault("CRNN-zeropadding2d_1-band-off", reads(rolled(1, -2)), "one mel band off"),
    Fault("CNN0-bn_0_freq-bands-upside-down", reads(flipped(2)), "mel bands reversed"),
    Fault("CRNN-zeropadding2d_1-backwards", reads(flipped(3)), "time reversed"),
    Fault("CRNN-zeropadding2d_1-transposed", reads(transposed(2, 3)), "input transposed"),
    Fault("CNN-bn_0_freq-scaled", reads(scaled(0.1)), "input scaled by 0.1"),
    Fault("CNN-bn_0_freq-3-dB-louder", reads(shifted(3)), "input shifted by 3"),
    Fault("CNN0-bn_0_freq-power-for-decibel",
          reads(to_power), "logarithm left out (power for decibel)"),
    Fault("CRNN-zeropadding2d_1-half-precision", reads(half), "input stored as float16"),
    Fault("CNN-bn_0_freq-clips-swapped", reads(swapped(0, 1)), "clips in another order"),
    Fault("CNN0-bn1-batch-of-one",
          batched(formulas.one_at_a_time), "statistics of each clip alone"),
    Fault("CNN0-bn1-batch-of-three",
          batched(formulas.with_another), "clips weigh 0.667, 0.333 in the batch"),
)  # fmt: skip

BY_KIND = {
    "weights": WEIGHTS, "configuration": CONFIGURATION, "code path": CODE, "input": INPUT,
    "small": subtle.SMALL, "behaviour": subtle.BEHAVIOUR,
}  # fmt: skip
FAULTS = tuple(fault._replace(kind=kind) for kind, rows in BY_KIND.items() for fault in rows)

HARMLESS = (
    Fault("CNN0-conv3-blocked", reorderings.convolution(order="blocked")),
    Fault("CNN-conv4-reversed", reorderings.convolution(order="reversed")),
    Fault("CRNN-conv3-pairwise", reorderings.convolution(order="pairwise")),
    Fault("CNN0-conv5-float64", reorderings.convolution(order="float64")),
    Fault("CRNN-conv3-direct", reorderings.direct_convolution()),
    Fault("CNN0-conv1-direct", reorderings.direct_convolution()),
    Fault("CRNN-conv4-two-threads", reorderings.with_threads(count=2)),
    Fault("CRNN-conv4-older-core", reorderings.on_core(kind="Nehalem"), kind=ELSEWHERE),
    Fault("CNN-conv2-older-core", reorderings.on_core(kind="Nehalem"), kind=ELSEWHERE),
    Fault("CNN-bn2-fused", reorderings.fused_normalization()),
    Fault("CRNN-gru1-step-by-step", formulas.gru()),
    Fault("CRNN-gru2-step-by-step", formulas.gru()),
    Fault("CNN-output-pairwise", reorderings.dense(order="pairwise")),
    Fault("CRNN-preds-reversed", reorderings.dense(order="reversed")),
    Fault("CNN0-output-float64", reorderings.dense(order="float64")),
    Fault("CNN-bn_0_freq-batch-order", batched(formulas.in_reverse)),
    Fault("CNN-conv5-blocked", reorderings.convolution(order="blocked")),
    Fault("CNN-conv5-pairwise", reorderings.convolution(order="pairwise")),
    Fault("CRNN-conv4-float64", reorderings.convolution(order="float64")),
    Fault("CNN-conv5-direct", reorderings.direct_convolution()),
    Fault("CNN0-conv4-channels-last", reorderings.channels_last()),
    Fault("CNN-conv5-channels-last-reversed", reorderings.channels_last(order="reversed")),
    Fault("CRNN-conv4-channels-last-pairwise", reorderings.channels_last(order="pairwise")),
    Fault("CNN0-conv5-einsum", reorderings.einsum()),
    Fault("CRNN-conv4-einsum", reorderings.einsum()),
    Fault("CNN-conv4-same-buffer", reorderings.same_buffer),
    Fault("CNN0-bn5-same-buffer", reorderings.same_buffer),
    Fault("CRNN-gru2-same-buffer", reorderings.same_buffer),
    Fault("CNN-bn5-fused", reorderings.fused_normalization()),
    Fault("CRNN-bn4-fused", reorderings.fused_normalization()),
    Fault("CRNN-bn_0_freq-fused", reorderings.fused_normalization()),
    Fault("CRNN-preds-float64", reorderings.dense(order="float64")),
    Fault("CRNN-preds-pairwise", reorderings.dense(order="pairwise")),
    Fault("CNN0-output-reversed", reorderings.dense(order="reversed")),
    Fault("CNN0-output-blocked", reorderings.dense(order="blocked")),
    Fault("CNN-output-float64", reorderings.dense(order="float64")),
    Fault("CRNN-conv4-fft", reorderings.by_fft(), kind=BY_TRANSFORM),
    Fault("CRNN-conv3-winograd-2", reorderings.by_winograd(tile=2), kind=BY_TRANSFORM),
    Fault("CNN-conv4-winograd-4", reorderings.by_winograd(tile=4), kind=BY_TRANSFORM),
)  # fmt: skip

# What the project improved: the formulas of the port published in 2018, planted into this one.
PUBLISHED = tuple(
    PublishedPort(
        f"{model}-published-port",
        stock_throughout("published BatchNormalization"),
        "see the record",
        kind="published port",
    )
    for model in ("CRNN", "CNN0", "CNN")
)
