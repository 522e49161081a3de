"""Single layers that the oracle is held against real Keras on: class, arguments, input, weights."""

from typing import NamedTuple

import numpy as np

ACTIVATIONS = (
    "linear",
    "relu",
    "tanh",
    "sigmoid",
    "hard_sigmoid",
    "softmax",
    "softplus",
    "softsign",
    "elu",  # 1.2
)
EARLY = ACTIVATIONS[:-1]
GATES = {"SimpleRNN": "h", "GRU": "zrh", "LSTM": "icfo"}  # as Keras orders their weights


class Single(NamedTuple):
    """weights : {suffix: array} in the order of Keras's set_weights, float32; more: further inputs,
    a mask last; since, until: the first and the last release that has it so.
    """

    kind: str
    arguments: dict
    x: np.ndarray
    weights: dict
    more: tuple = ()
    since: str = "1.0.6"
    until: str = "1.2.2"

    @property
    def name(self):
        told = "-".join(
            f"{value.get('class_name', value) if isinstance(value, dict) else value}"
            for value in self.arguments.values()
        )
        masked = "-masked" if any(each.dtype == bool for each in self.more) else ""
        kept = f"-to{self.until}" if self.until != "1.2.2" else ""
        return f"{self.kind}-{told}-{self.x.ndim - 1}d{masked}{kept}".replace(" ", "")


def _drawn(seed, **shapes):
    random = np.random.default_rng(seed)
    return {name: random.normal(0, 1, shape).astype(np.float32) for name, shape in shapes.items()}


def _inputs(*shape, spread=4.0):
    """Values on both sides of every bend, and some that saturate."""
    x = np.random.default_rng(len(shape)).normal(0, spread, shape)
    x.flat[::7] *= 8
    x.flat[::11] = 0
    return x.astype(np.float32)


def _normalised(channels):
    drawn = _drawn(3, gamma=channels, beta=channels, running_mean=channels, running_std=channels)
    return {**drawn, "running_std": np.abs(drawn["running_std"]) + np.float32(0.1)}


def _dense(inputs, units):
    drawn = _drawn(1, W=(inputs, units), b=units)
    return {**drawn, "W": drawn["W"] / np.float32(inputs / 2)}  # some sums saturate, most do not


def _recurrent(kind, inputs, units, **settings):
    """A recurrent layer's weights, gate by gate or all in one matrix."""
    gates, whole = GATES[kind], len(GATES[kind])
    shapes = {"W": (inputs, units), "U": (units, units), "b": (units,)}
    if whole > 1 and settings.get("consume_less") != "gpu":
        names = {f"{matrix}_{gate}": shapes[matrix] for gate in gates for matrix in "WUb"}
    else:
        names = {matrix: (*shape[:-1], whole * shape[-1]) for matrix, shape in shapes.items()}
    # of size 1/2: without an activation states grow from step to step
    return {name: array / np.float32(2) for name, array in _drawn(5, **names).items()}


def _recurrents():
    """Every setting, and every activation, of each recurrent class at least once."""
    sequences, backwards = {"return_sequences": True}, {"go_backwards": True}
    settings = (
        (sequences, "tanh", "hard_sigmoid", ()),
        (backwards, "softsign", "relu", ()),
        ({**sequences, **backwards, "consume_less": "mem"}, "relu", "sigmoid", ()),
        ({**sequences, "unroll": True}, "linear", "tanh", ()),
        ({**sequences, "consume_less": "gpu"}, "sigmoid", "linear", ()),
        ({**sequences, "dropout_W": 0.3, "dropout_U": 0.2}, "hard_sigmoid", "softsign", (MASK,)),
        ({**backwards, "consume_less": "gpu"}, "tanh", "hard_sigmoid", (MASK,)),
        ({**sequences, **backwards, "unroll": True}, "softplus", "softplus", (MASK,)),
    )
    for kind, gates in GATES.items():
        for given, activation, inner, more in settings:
            activations = {"activation": activation, "inner_activation": inner}
            if len(gates) == 1:
                del activations["inner_activation"]
            weights = _recurrent(kind, 7, 5, **given)
            arguments = {"output_dim": 5, **activations, **given}
            yield Single(kind, arguments, SEQUENCE, weights, more)


def _wrapped():
    """Layers at every step, and recurrent ones in both directions, whose weights Keras names after
    the layer inside.
    """
    image = _inputs(2, 3, 4, 5, 6)
    for kind, arguments, x, weights in (
        ("Dense", {"output_dim": 4, "activation": "relu"}, SEQUENCE, _dense(7, 4)),
        ("Flatten", {}, image, {}),
        (
            "Convolution2D",
            {"nb_filter": 2, "nb_row": 3, "nb_col": 3, "border_mode": "same"},
            image,
            _drawn(2, W=(2, 4, 3, 3), b=2),
        ),
        ("GRU", {"output_dim": 5}, _inputs(2, 3, 4, 7, spread=1.0), _recurrent("GRU", 7, 5)),
    ):
        inner = {"class_name": kind, "config": {"name": "it", **arguments}}
        named = {f"it_{suffix}": array for suffix, array in weights.items()}
        yield Single("TimeDistributed", {"layer": inner}, x, named)
    for mode, kind, arguments, more in (
        ("concat", "LSTM", {"return_sequences": True}, ()),
        ("sum", "GRU", {"return_sequences": True}, (MASK,)),
        ("mul", "LSTM", {"consume_less": "gpu"}, (MASK,)),
        ("ave", "SimpleRNN", {"return_sequences": True, "go_backwards": True}, ()),
        ("concat", "SimpleRNN", {}, ()),
    ):
        inner = {"class_name": kind, "config": {"name": "it", "output_dim": 5, **arguments}}
        drawn = {
            f"{half}_it_{suffix}": array * np.float32(sign)
            for half, sign in (("forward", 1), ("backward", -1))
            for suffix, array in _recurrent(kind, 7, 5, **arguments).items()
        }
        arguments = {"layer": inner, "merge_mode": mode}
        yield Single("Bidirectional", arguments, SEQUENCE, drawn, more, since="1.1.0")


IMAGE, FLAT, SEQUENCE = _inputs(3, 4, 9, 11), _inputs(5, 40), _inputs(3, 6, 7, spread=1.0)
IDS = np.array([[0, 3, 10, 3], [7, 0, 1, 10], [2, 2, 9, 0]], np.int32)
STEPS = _inputs(3, 6, 4, spread=1.0)
STEPS[:, ::3, 1:], STEPS[:, 3, 0], STEPS[:, 4] = -1.5, -1.5, 0
MASK = np.array([[0, 0, 1, 1, 0, 1], [1, 1, 1, 1, 0, 0], [1, 0, 1, 0, 1, 1]], bool)


def _image_kernels(rows, columns, tf=False, bias=True):
    shape = (rows, columns, 4, 6) if tf else (6, 4, rows, columns)
    drawn = _drawn(2, W=shape, b=6)
    return drawn if bias else {"W": drawn["W"]}


def _step_kernels(length, since):
    shape = (4, 4, length, 1) if since == "1.0.6" else (length, 1, 4, 4)
    return _drawn(2, W=shape, b=4)


TF, TIMES = _inputs(3, 9, 11, 4), _inputs(3, 13, 4)
OTHERS = tuple(_drawn(seed, x=(3, 4, 9, 11))["x"] for seed in (21, 22))
ROWS = tuple(_drawn(seed, x=(5, 40))["x"] for seed in (23, 24))
SEQUENCES = tuple(_drawn(25, x=(3, steps, 7))["x"] for steps in (5, 6))


def _alphas(*shape):
    return _drawn(6, alphas=shape)


IMAGES = (
    *(
        Single("Convolution2D", {"nb_filter": 6, "nb_row": rows, "nb_col": columns, **more}, IMAGE,
               _image_kernels(rows, columns, bias=more.get("bias", True)), (), since)
        for rows, columns, more, since in (
            (2, 4, {"border_mode": "same"}, "1.0.6"),
            (4, 3, {"border_mode": "same", "subsample": [2, 3]}, "1.0.6"),
            (3, 2, {"subsample": [3, 2], "activation": "relu"}, "1.0.6"),
            (1, 1, {"activation": "tanh"}, "1.0.6"),
            (5, 3, {"activation": "sigmoid", "bias": False}, "1.0.6"),
            (3, 3, {"activation": "softplus", "border_mode": "same"}, "1.0.6"),
            (2, 3, {"border_mode": "full"}, "1.2.2"),
        )
    ),
    *(
        Single("Convolution2D", {"nb_filter": 6, "nb_row": rows, "nb_col": columns,
               "dim_ordering": "tf", **more}, TF, _image_kernels(rows, columns, tf=True))
        for rows, columns, more in (
            (3, 2, {"border_mode": "same", "activation": "relu"}),
            (2, 3, {"subsample": [2, 1]}),
        )
    ),
    *(
        Single("Convolution1D", {"nb_filter": 4, "filter_length": length, **more}, TIMES,
               _step_kernels(length, since), (), since, until)
        for since, until in (("1.0.6", "1.0.6"), ("1.1.0", "1.2.2"))
        for length, more in (
            (3, {"border_mode": "same", "activation": "relu"}),
            (4, {"border_mode": "same"}),
            (2, {"subsample_length": 2, "activation": "softmax"}),
        )
    ),
    Single("AveragePooling2D", {"pool_size": [3, 2], "border_mode": "same"}, IMAGE, {}),
    Single("AveragePooling2D", {"pool_size": [5, 3], "strides": [2, 1], "border_mode": "same"},
           IMAGE, {}),
    Single("AveragePooling2D", {"pool_size": [2, 3], "dim_ordering": "tf"}, TF, {}),
    Single("MaxPooling2D", {"pool_size": [3, 2], "border_mode": "same"}, IMAGE, {}),
    Single("MaxPooling2D", {"pool_size": [5, 4], "strides": [2, 3], "border_mode": "same"},
           IMAGE, {}),
    Single("MaxPooling2D", {"pool_size": [2, 3], "dim_ordering": "tf"}, TF, {}),
    *(
        Single(f"{how}Pooling1D", {"pool_length": 4, **more}, TIMES, {}, (), since)
        for how in ("Max", "Average")
        for more, since in (
            ({}, "1.0.6"), ({"stride": 2}, "1.0.6"), ({"border_mode": "same"}, "1.2.2"),
        )
    ),
    *(
        Single(f"Global{how}Pooling{dim}", more, x, {}, (), "1.1.0")
        for how in ("Max", "Average")
        for dim, more, x in (
            ("1D", {}, TIMES), ("2D", {}, IMAGE), ("2D", {"dim_ordering": "tf"}, TF),
        )
    ),
    Single("ZeroPadding1D", {"padding": 2}, TIMES, {}),
    Single("ZeroPadding1D", {"padding": [1, 3]}, TIMES, {}, (), "1.2.2"),
    Single("ZeroPadding2D", {"padding": [1, 2, 3, 0]}, IMAGE, {}, (), "1.2.2"),
    Single("ZeroPadding2D", {"padding": {"top_pad": 1, "right_pad": 2}}, IMAGE, {}, (), "1.2.2"),
    Single("Cropping1D", {"cropping": [1, 2]}, TIMES, {}, (), "1.1.0"),
    Single("Cropping2D", {"cropping": [[1, 2], [3, 0]]}, IMAGE, {}, (), "1.1.0"),
    Single("UpSampling1D", {"length": 3}, TIMES, {}),
    Single("UpSampling2D", {"size": [2, 3]}, IMAGE, {}),
    Single("BatchNormalization", {"axis": -1, "mode": 0}, FLAT, _normalised(40)),
    Single("BatchNormalization", {"axis": -1, "mode": 2}, FLAT, _normalised(40)),
    Single("BatchNormalization", {"axis": 2, "mode": 2}, SEQUENCE, _normalised(7)),
    Single("BatchNormalization", {"axis": 3, "mode": 0}, IMAGE, _normalised(11)),
    Single("BatchNormalization", {"axis": -1, "mode": 1}, FLAT, _normalised(40)),
    Single("BatchNormalization", {"axis": -1, "mode": 1, "epsilon": 0.01}, SEQUENCE,
           _normalised(7)),
    Single("PReLU", {}, IMAGE, _alphas(4, 9, 11)),
    Single("PReLU", {}, FLAT, _alphas(40)),
    Single("PReLU", {"shared_axes": [2, 3]}, IMAGE, _alphas(4, 1, 1), (), "1.2.2"),
    Single("ThresholdedReLU", {"theta": 1.3}, IMAGE, {}),
    *(
        Single("Merge", {"mode": mode}, IMAGE, {}, OTHERS)
        for mode in ("sum", "mul", "ave", "max")
    ),
    Single("Merge", {"mode": "sum"}, FLAT, {}, ROWS[:1]),
    Single("Merge", {"mode": "concat", "concat_axis": 1}, IMAGE, {}, OTHERS),
    Single("Merge", {"mode": "concat"}, FLAT, {}, ROWS),
    Single("Merge", {"mode": "concat", "concat_axis": 1}, SEQUENCE, {}, SEQUENCES),
    Single("Merge", {"mode": "concat"}, SEQUENCE, {}, SEQUENCES[1:]),
    Single("Merge", {"mode": "dot", "dot_axes": 1}, FLAT, {}, ROWS[:1]),
    Single("Merge", {"mode": "dot", "dot_axes": [2, 2]}, SEQUENCE, {}, SEQUENCES[1:]),
    Single("Merge", {"mode": "cos", "dot_axes": [1, 1]}, FLAT, {}, ROWS[:1]),
    Single("Merge", {"mode": "cos", "dot_axes": [2, 2]}, SEQUENCE, {}, SEQUENCES[1:]),
    Single("GaussianNoise", {"sigma": 0.5}, IMAGE, {}),
    Single("GaussianDropout", {"p": 0.5}, IMAGE, {}),
    Single("SpatialDropout1D", {"p": 0.5}, TIMES, {}, (), "1.2.2"),
    Single("SpatialDropout2D", {"p": 0.5}, IMAGE, {}, (), "1.2.2"),
    Single("SpatialDropout3D", {"p": 0.5}, _inputs(2, 2, 3, 4, 5), {}, (), "1.2.2"),
    Single("ActivityRegularization", {"l1": 0.5}, FLAT, {}),
)  # fmt: skip

LAYERS = (
    *IMAGES,
    *(Single("Activation", {"activation": name}, FLAT, {}) for name in EARLY),
    Single("Activation", {"activation": "elu"}, FLAT, {}, (), "1.2.2"),
    Single("Dense", {"output_dim": 9, "activation": "elu"}, FLAT, _dense(40, 9), (), "1.2.2"),
    *(Single("Activation", {"activation": name}, SEQUENCE, {}) for name in ("tanh", "softmax")),
    *(Single("Activation", {"activation": name}, IMAGE, {}) for name in ("relu", "softplus")),
    *(
        Single("Dense", {"output_dim": 9, "activation": name}, FLAT, _dense(40, 9))
        for name in EARLY
    ),
    Single("Dense", {"output_dim": 9, "bias": False}, FLAT, _drawn(1, W=(40, 9))),
    Single("AveragePooling2D", {"pool_size": [2, 3]}, IMAGE, {}),
    Single("AveragePooling2D", {"pool_size": [3, 2], "strides": [1, 2]}, IMAGE, {}),
    Single("MaxPooling2D", {"pool_size": [2, 3]}, IMAGE, {}),
    Single("MaxPooling2D", {"pool_size": [3, 2], "strides": [2, 1]}, IMAGE, {}),
    Single("ELU", {"alpha": 0.7}, IMAGE, {}),
    *(Single("LeakyReLU", {"alpha": alpha}, IMAGE, {}) for alpha in (0.3, 0.01, 0.0)),
    *(Single("LeakyReLU", {"alpha": alpha}, FLAT, {}) for alpha in (1 / 5.5, 2.7)),
    Single("ZeroPadding2D", {"padding": [1, 2]}, IMAGE, {}),
    Single("Permute", {"dims": [3, 1, 2]}, IMAGE, {}),
    Single("Reshape", {"target_shape": [9, 44]}, IMAGE, {}),
    Single("Flatten", {}, IMAGE, {}),
    Single("BatchNormalization", {"axis": 1, "mode": 0}, IMAGE, _normalised(4)),
    Single("BatchNormalization", {"axis": 1, "mode": 2, "epsilon": 0.01}, IMAGE, _normalised(4)),
    Single(
        "Convolution2D",
        {"nb_filter": 6, "nb_row": 3, "nb_col": 3, "border_mode": "same"},
        IMAGE,
        _drawn(2, W=(6, 4, 3, 3), b=6),
    ),
    Single(
        "Convolution2D",
        {"nb_filter": 6, "nb_row": 2, "nb_col": 3, "subsample": [2, 1]},
        IMAGE,
        _drawn(2, W=(6, 4, 2, 3), b=6),
    ),
    *_recurrents(),
    Single("Embedding", {"input_dim": 11, "output_dim": 4}, IDS, _drawn(6, W=(11, 4))),
    Single("Masking", {"mask_value": 0.0}, STEPS, {}),
    Single("Masking", {"mask_value": -1.5}, STEPS, {}),
    Single("RepeatVector", {"n": 3}, FLAT, {}),
    *_wrapped(),
    Single(
        "TimeDistributedDense", {"output_dim": 4, "activation": "softmax"}, SEQUENCE, _dense(7, 4)
    ),
    Single("Dense", {"output_dim": 4, "activation": "tanh"}, SEQUENCE, _dense(7, 4), since="1.2.0"),
)
