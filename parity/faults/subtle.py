"""Faults that clips hardly show or do not: each is to be found by asking the layer itself."""

import numpy as np

from parity.faults import behaviours as b
from parity.faults import formulas
from parity.faults.arrays import levels, moved, one_element, rounded, ulps
from parity.faults.plant import own_weights, weight
from parity.faults.table_row import Fault

U = b.U
CHANGED = "it changes the array that it is given"
AGAIN = "it gives another answer when it is asked the same again"
CALL = "what users call is not the composition of the layers"
ANOTHER = "another gain and offset in every channel (statistics, gamma or beta)"
AS_FLOAT16 = "answers stored in float16"
BATCHES, THREADS = "only in batches of 9 or more", "a wrong answer with "
UNNAMED = ""  # nothing that has a name: not to be named, but where it shows

SMALL = (
    # one number off by one float32 step
    Fault("CRNN-conv1-W-1-ulp", weight("W", ulps((0, 0, 0, 0))), "W (0, 0, 0, 0) is "),
    Fault("CRNN-conv2-b-1-ulp", weight("b", ulps((5,))), "b (5,) is "),
    Fault("CRNN-conv4-W-1-ulp", weight("W", ulps((127, 127, 2, 2))), "W (127, 127, 2, 2) is "),
    Fault("CNN0-conv1-b-1-ulp", weight("b", ulps((31,))), "b (31,) is "),
    Fault("CNN0-conv3-W-1-ulp", weight("W", ulps((7, 9, 1, 1))), "W (7, 9, 1, 1) is "),
    Fault("CNN0-conv5-W-1-ulp", weight("W", ulps((200, 3, 0, 2))), "W (200, 3, 0, 2) is "),
    Fault("CNN-conv2-W-1-ulp", weight("W", ulps((100, 30, 2, 0))), "W (100, 30, 2, 0) is "),
    Fault("CNN-conv5-b-1-ulp", weight("b", ulps((255,))), "b (255,) is "),
    Fault("CRNN-preds-W-1-ulp", weight("W", ulps((3, 4))), "W (3, 4) is "),
    Fault("CNN0-output-b-1-ulp", weight("b", ulps((20,))), "b (20,) is "),
    Fault("CNN-output-W-1-ulp", weight("W", ulps((255, 49))), "W (255, 49) is "),
    # scale and shift of one normalised channel
    Fault("CRNN-bn1-scale-8u", weight("gamma", one_element((5,), 1 + 8 * U)), "scale (5,) "),
    Fault("CNN0-bn3-scale-8u", weight("gamma", one_element((9,), 1 + 8 * U)), "scale (9,) "),
    Fault("CNN-bn_0_freq-scale-8u", weight("gamma", one_element((700,), 1 + 8 * U)),
          "scale (700,) "),
    Fault("CRNN-bn4-shift-8u", b.offset(8, 3), "shift (3,) "),
    Fault("CNN0-bn5-shift-8u", b.offset(8, 100), "beta (100,) "),
    Fault("CNN-bn5-shift-8u", b.offset(8, 17), "shift (17,) "),
    # one weight of a recurrent layer whose gates show it; docs/probes.md says how many do
    Fault("CRNN-gru1-W_h-2^-18",
          weight("W_h", one_element((0, 16), 1 + 2**-18)), "only in clip "),
    Fault("CRNN-gru2-W_z-2^-18", weight("W_z", one_element((29, 28), 1 + 2**-18)), "W_z (29, 28) "),
    Fault("CRNN-gru2-U_h-16u", weight("U_h", moved((8, 4), 16 * U)), "U_h (8, 4) "),
    Fault("CRNN-gru2-U_z-16u", weight("U_z", moved((29, 0), 16 * U)), "U_z (29, 0) "),
    # gains of one slice of the answer
    Fault("CRNN-conv1-channel-4u", b.gain(4, channel=60), "only in channel 60"),
    Fault("CRNN-conv2-frame-4u", b.gain(4, frame=719), "only in time frame 719"),
    Fault("CRNN-conv4-row-4u", b.gain(4, row=2), "only in mel band 2"),
    Fault("CNN0-conv1-frame-4u", b.gain(4, frame=0), "only in time frame 0"),
    Fault("CNN0-conv3-channel-4u", b.gain(4, channel=0), "only in channel 0"),
    Fault("CNN0-conv5-place-4u", b.gain(4, place=1), "only in clip 1"),
    Fault("CNN-conv1-row-4u", b.gain(4, row=95), "only in mel band 95"),
    Fault("CNN-conv3-frame-4u", b.gain(4, frame=40), "only in time frame 40"),
    Fault("CNN-conv5-channel-4u", b.gain(4, channel=255), "only in channel 255"),
    Fault("CRNN-bn_0_freq-frame-8u", b.gain(8, frame=700), "scale (700,) "),
    Fault("CRNN-bn2-row-8u", b.gain(8, row=47), "only in mel band 47"),
    Fault("CRNN-bn4-channel-8u", b.gain(8, channel=64), "scale (64,) "),
    Fault("CNN0-bn1-channel-8u", b.gain(8, channel=31), "scale (31,) "),
    Fault("CNN0-bn3-row-8u", b.gain(8, row=5), "only in mel band 5"),
    Fault("CNN0-bn5-place-8u", b.gain(8, place=1), "only in clip 1"),
    Fault("CNN-bn_0_freq-row-8u", b.gain(8, row=0), "only in mel band 0"),
    Fault("CNN-bn3-frame-8u", b.gain(8, frame=84), "only in time frame 84"),
    Fault("CNN-bn5-channel-8u", b.gain(8, channel=128), "scale (128,) "),
    Fault("CRNN-gru1-unit-12u", b.gain(12, unit=31), "only in unit 31"),
    Fault("CRNN-gru1-step-12u", b.gain(12, step=7), "only in time step 7"),
    Fault("CRNN-gru1-place-12u", b.gain(12, place=1), "only in clip 1"),
    Fault("CRNN-gru2-unit-12u", b.gain(12, unit=0), "only in unit 0"),
    # a place of 32 numbers, fewer than q is judged over
    Fault("CRNN-gru2-place-12u", b.gain(12, place=1), UNNAMED),
    Fault("CRNN-preds-unit-4u",
          own_weights(b.larger(4, unit=9)), "only in unit 9"),
    Fault("CNN0-output-unit-4u",
          own_weights(b.larger(4, unit=0)), "only in unit 0"),
    # what is added, and what is stored
    Fault("CRNN-conv2-checkerboard", b.checkerboard(2**-16), "only in channel 1"),
    Fault("CNN-bn2-checkerboard", b.checkerboard(2**-16), "shift (1,) "),
    Fault("CNN-conv3-21-bits", own_weights(rounded(21)), "W stored in 21 bits"),
    Fault("CNN0-output-21-bits", own_weights(rounded(21)), "W stored in 21 bits"),
    Fault("CNN0-conv2-int8", weight("W", levels(8)), "W stored in "),
    Fault("CNN-conv4-int16", weight("W", levels(16)), "W stored in "),
    Fault("CRNN-preds-int8", weight("W", levels(8)), "W stored in "),
    Fault("CRNN-gru2-int16", own_weights(levels(16)), UNNAMED),
)  # fmt: skip

BEHAVIOUR = (
    Fault("CNN-bn3-leaking", b.leaking(share=1e-6), UNNAMED),
    Fault("CRNN-bn1-leaking", b.leaking(share=1e-5), UNNAMED),
    Fault("CRNN-gru1-half-state", formulas.gru(kept=np.float16), AS_FLOAT16),
    Fault("CRNN-gru2-half-state", formulas.gru(kept=np.float16), AS_FLOAT16),
    Fault("CNN-conv2-memorised", b.memorised, "answers stored in bfloat16"),
    Fault("CRNN-preds-memorised", b.memorised, UNNAMED),
    Fault("CNN0-conv3-second-call", b.wrong_at(2, forever=True), AGAIN),
    Fault("CRNN-gru2-second-call", b.wrong_at(2), AGAIN),
    Fault("CNN-conv4-third-call", b.wrong_at(3), AGAIN),
    Fault("CNN0-bn1-third-call", b.wrong_at(3), AGAIN),
    Fault("CNN-conv3-input-scaled", b.scales_its_input(), CHANGED),
    Fault("CRNN-elu_2-input-scaled", b.scales_its_input(), CHANGED),
    Fault("CNN0-output-input-scaled", b.scales_its_input(), CHANGED),
    Fault("CRNN-preds-input-scaled", b.scales_its_input_with_logits, CHANGED),
    Fault("CNN0-conv4-batch-of-8", b.right_for_small_batches(), BATCHES),
    Fault("CNN-bn4-batch-of-8", b.right_for_small_batches(), BATCHES),
    Fault("CRNN-gru1-batch-of-8", b.right_for_small_batches(), BATCHES),
    Fault("CNN-conv5-other-threads", b.right_with_threads(own=(1,)), THREADS),
    Fault("CRNN-gru1-other-threads", b.right_with_threads(own=(1,)), THREADS),
    Fault("CRNN-conv1-threshold", b.without_small_inputs(), UNNAMED),
    Fault("CRNN-conv3-threshold", b.without_small_inputs(), UNNAMED),
    Fault("CNN-conv2-threshold", b.without_small_inputs(), UNNAMED),
    Fault("CNN0-conv2-copied-neighbours", b.copied_neighbours(), "only in time frame 3"),
    Fault("CNN-conv4-made-up-values", b.right_on_made_up_values(), UNNAMED),
    Fault("CNN-bn2-made-up-values", b.right_on_made_up_values(), UNNAMED),
    Fault("CRNN-elu_2-made-up-values", b.right_on_made_up_values(), UNNAMED),
    Fault("CRNN-elu_3-series-near-0", b.elu(inside=(-1.0, -0.1), terms=3), UNNAMED),
    Fault("CNN-elu_1-series-near-0", b.elu(inside=(-1.0, -0.1), terms=3), UNNAMED),
    Fault("CNN0-elu_2-rough-exponential", b.elu(terms=3), UNNAMED),
    Fault("CNN0-bn1-one-pass-variance", b.one_pass_variance(), ANOTHER),
    Fault("CNN0-bn4-one-pass-variance", b.one_pass_variance(), ANOTHER),
    Fault("CNN-conv3-quiet-channels", b.without_quiet_channels(), UNNAMED),
    Fault("CRNN-conv4-quiet-channels", b.without_quiet_channels(), UNNAMED),
    Fault("CNN-output-rough-exponential", b.rough_scores(), "rough scores near 0"),
    Fault("CRNN-gru2-rough-tanh", formulas.gru(curve=b.approximate_tanh), UNNAMED),
    Fault("CNN0-output-clipped", b.clipped_scores(), "scores of at least 1e-07"),
    Fault("CRNN-preds-clipped", b.clipped_scores(), "scores of at least 1e-07"),
    Fault("CNN-bn2-called-after-elu", b.called(b.exchanged("bn2", "elu_2")), CALL),
    Fault("CRNN-bn4-left-out-of-the-call", b.called(b.without("bn4")), CALL),
    Fault("CNN0-output-one-clip-for-all", b.called(b.one_clip_for_all), CALL),
)  # fmt: skip
