"""Layers drawn at random: settings, shapes, weights and inputs of every kind that a release has."""

import numpy as np

from tests.kinds.layers import ACTIVATIONS, EARLY, GATES, Single

OF_IMAGES = tuple(name for name in EARLY if name != "softmax")  # Keras refuses it there
LATER = ("1.1.0", "1.2.2")
LAST = ("1.2.2",)


class Draw:
    """Choices of one generator, in the order they are asked for."""

    def __init__(self, seed, release):
        self.random, self.release = np.random.default_rng(seed), release

    def of(self, *choices):
        return choices[self.random.integers(len(choices))]

    def activation(self):
        return self.of(*(ACTIVATIONS if self.release in LAST else EARLY))

    def size(self, least, most):
        return int(self.random.integers(least, most + 1))

    def shape(self, rank, least=2, most=9):
        """Of a clip, with so many axes."""
        return tuple(self.size(least, most) for _ in range(rank))

    def input(self, *shape, clips=None):
        """Values on both sides of every bend, some repeated zeros, some that saturate."""
        x = self.random.normal(0, self.of(0.2, 1, 4), (clips or self.size(2, 4), *shape))
        x[self.random.random(x.shape) < self.of(0, 0.1)] = 0
        x[self.random.random(x.shape) < self.of(0, 0.05)] *= 8
        return x.astype(np.float32)

    def array(self, *shape, fan=1):
        values = self.random.normal(0, self.of(0.5, 1, 2) / np.sqrt(fan), shape)
        return values.astype(np.float32)


def _activation(d):
    name = d.activation()
    ranks = (1, 2) if name == "softmax" else (1, 2, 3)
    return {"activation": name}, d.input(*d.shape(d.of(*ranks))), {}


def _dense(d):
    inputs, units, bias = d.size(2, 60), d.size(1, 12), d.of(True, True, False)
    weights = {"W": d.array(inputs, units, fan=inputs)} | ({"b": d.array(units)} if bias else {})
    config = {"output_dim": units, "activation": d.activation(), "bias": bias}
    return config, d.input(inputs), weights


def _dense_steps(d):
    config, x, weights = _dense(d)
    if not config["bias"]:  # Keras 1.0.6 then forgets that it has weights
        config["bias"], weights["b"] = True, d.array(config["output_dim"])
    return config, np.stack([x, -x, x[::-1]], axis=1), weights


def _convolved(d, kernel, tf, activations):
    """Settings that both kinds of convolution have, and weights: (filters, config, weights)."""
    filters, channels, bias = d.size(1, 8), d.size(1, 5), d.of(True, True, False)
    shape = (*kernel, channels, filters) if tf else (filters, channels, *kernel)
    weights = {"W": d.array(*shape, fan=channels * np.prod(kernel))}
    modes = ("valid", "same", "full") if d.release in LAST else ("valid", "same")
    config = {"nb_filter": filters, "border_mode": d.of(*modes), "bias": bias}
    config["activation"] = d.of("linear", d.of(*activations))
    return channels, config, weights | ({"b": d.array(filters)} if bias else {})


def _convolution(d):
    kernel, tf = d.shape(2, 1, 5), d.of(False, False, True)
    channels, config, weights = _convolved(d, kernel, tf, OF_IMAGES)
    config |= {"nb_row": kernel[0], "nb_col": kernel[1], "subsample": list(d.shape(2, 1, 3))}
    config |= {"dim_ordering": "tf"} if tf else {}
    return config, _image(d, channels, tf, kernel), weights


def _image(d, channels, tf=False, least=(1, 1)):
    rows, columns = (d.size(k, k + 9) for k in least)
    return d.input(*((rows, columns, channels) if tf else (channels, rows, columns)))


def _step_convolution(d):
    length, since = d.size(1, 5), d.release != "1.0.6"
    channels, config, weights = _convolved(d, (length, 1), since, EARLY)
    config |= {"filter_length": length, "subsample_length": d.size(1, 3)}
    return config, d.input(d.size(length, length + 12), channels), weights


def _pooled(d, axes):
    """(sizes, strides or None, border mode) that the release can build."""
    mode = d.of("valid", "same") if axes > 1 or d.release in LAST else "valid"
    least = 2 if mode == "same" and d.release not in LAST else 1  # before, its padding was -1
    return d.shape(axes, least, 5), d.of(None, d.shape(axes, 1, 4)), mode


def _pooling(d):
    (size, strides, mode), tf = _pooled(d, 2), d.of(False, False, True)
    config = {"pool_size": list(size), "strides": strides, "border_mode": mode}
    config |= {"dim_ordering": "tf"} if tf else {}
    return config, _image(d, d.size(1, 4), tf, size), {}


def _step_pooling(d):
    (size,), strides, mode = _pooled(d, 1)
    config = {"pool_length": size, "stride": strides and strides[0], "border_mode": mode}
    return config, d.input(d.size(size, 14), d.size(1, 5)), {}


def _global(d):
    return d.of({}, {"dim_ordering": "tf"}), _image(d, d.size(2, 5), False, (2, 2)), {}


def _padding(d):
    two, four = list(d.shape(2, 0, 3)), list(d.shape(4, 0, 3))
    sides = dict(zip(("top_pad", "bottom_pad", "left_pad", "right_pad"), four, strict=True))
    padding = d.of(two, four, sides) if d.release in LAST else two
    return {"padding": padding}, _image(d, d.size(1, 4)), {}


def _step_padding(d):
    one, two = d.size(0, 3), list(d.shape(2, 0, 3))
    return {"padding": d.of(one, two) if d.release in LAST else one}, d.input(*d.shape(2)), {}


def _cropping(d):
    amounts = [list(d.shape(2, 0, 2)) for _ in range(2)]
    return {"cropping": amounts}, _image(d, d.size(1, 4), least=(5, 5)), {}


def _normalisation(d):
    rank, mode = d.size(1, 3), d.of(0, 1, 2)
    shape = d.shape(rank, 3, 9)
    axis = -1 if mode == 1 else d.of(-1, d.size(1, rank))
    channels = shape[axis if axis < 0 else axis - 1]
    weights = {name: d.array(channels) for name in ("gamma", "beta", "running_mean")}
    least = 2e-5 if d.release in LAST else d.of(1e-6, 1e-5)  # Theano's own wants more than 1e-5
    weights["running_std"] = np.abs(d.array(channels)) + np.float32(0.1)
    config = {"axis": axis, "mode": mode, "epsilon": d.of(least, 1e-3, 0.05)}
    return config, d.input(*shape, clips=d.size(4, 6)), weights


def _parametric(d):
    shape = d.shape(d.size(1, 3))
    shared = [axis for axis in range(1, len(shape) + 1) if d.of(True, False)]
    if d.release not in LAST or not shared:
        return {}, d.input(*shape), {"alphas": d.array(*shape)}
    alphas = [1 if axis in shared else n for axis, n in enumerate(shape, 1)]
    return {"shared_axes": shared}, d.input(*shape), {"alphas": d.array(*alphas)}


def _merge(d):
    mode, clips = d.of("sum", "ave", "mul", "max", "concat", "concat", "dot", "cos"), d.size(2, 4)
    shape = list(d.shape({"cos": d.size(1, 2), "dot": d.size(1, 2)}.get(mode, d.size(1, 3))))
    shapes, config = [shape] * d.size(2, 4), {"mode": mode}
    if mode == "concat":
        axis = d.size(0, len(shape) - 1)
        config["concat_axis"] = d.of(axis + 1, axis - len(shape))
        shapes = [[*shape[:axis], d.size(1, 6), *shape[axis + 1 :]] for _ in shapes]
    if mode in ("dot", "cos"):
        other = list(shape if mode == "cos" else d.shape(d.size(1, 2)))
        of_x = d.size(1, len(shape))
        of_y = of_x if mode == "cos" else d.size(1, len(other))
        other[of_y - 1] = shape[of_x - 1]
        shapes, config["dot_axes"] = [shape, other], [of_x, of_y]
    x, *more = (d.input(*each, clips=clips) for each in shapes)
    return config, x, {}, tuple(more)


def _rate(name):
    return lambda d: ({name: d.of(0.1, 0.5)}, d.input(*d.shape(d.size(1, 3))), {})


def _rate_on(rank):
    return lambda d: ({"p": d.of(0.1, 0.5)}, d.input(*d.shape(rank, 2, 4)), {})


def _slope(name, *values):
    return lambda d: ({name: d.of(*values)}, d.input(*d.shape(d.size(1, 3))), {})


def _permute(d):
    rank = d.size(2, 3)
    dims = [int(axis) for axis in d.random.permutation(rank) + 1]
    return {"dims": dims}, d.input(*d.shape(rank)), {}


def _reshape(d):
    a, b, c = d.shape(3, 2, 5)
    return {"target_shape": d.of([a * b, c], [c, b, a], [a * b * c])}, d.input(a, b, c), {}


def _embedding(d):
    words, units = d.size(2, 30), d.size(1, 8)
    x = d.random.integers(0, words, (d.size(2, 4), d.size(1, 9))).astype(np.int32)
    return {"input_dim": words, "output_dim": units}, x, {"W": d.array(words, units)}


def _masking(d):
    x, value = d.input(*d.shape(2)), d.of(0.0, -1.5)
    x[d.random.random(x.shape) < 0.3] = value
    x[:, 0] = value
    return {"mask_value": value}, x, {}


def _cell(d, kind, inputs, units):
    """Settings and weights of a recurrent layer."""
    config = {"output_dim": units, "activation": d.of(*OF_IMAGES)}
    if kind != "SimpleRNN":
        config["inner_activation"] = d.of(*OF_IMAGES)
    config |= {name: True for name in ("return_sequences", "go_backwards") if d.of(True, False)}
    config |= {"unroll": True} if d.of(True, False, False) else {}
    config["consume_less"] = d.of("cpu", "mem", "gpu")
    gates = GATES[kind]
    shapes = {"W": (inputs, units), "U": (units, units), "b": (units,)}
    if len(gates) > 1 and config["consume_less"] != "gpu":
        names = {f"{matrix}_{gate}": shapes[matrix] for gate in gates for matrix in "WUb"}
    else:
        names = {name: (*shape[:-1], len(gates) * units) for name, shape in shapes.items()}
    # 1/2: without an activation states grow from step to step
    scale = np.float32(0.5 / np.sqrt(units))
    return config, {name: d.array(*shape) * scale for name, shape in names.items()}


def _recurrent(kind):
    def draw(d):
        x = d.input(d.size(2, 7), d.size(1, 6)) / np.float32(4)
        mask = d.random.random(x.shape[:2]) < 0.7
        more = d.of((), (mask,))
        config, weights = _cell(d, kind, x.shape[2], d.size(2, 6))  # of one unit, Scan is not built
        return config, x, weights, more

    return draw


def _wrapped(config, kind):
    return {"class_name": kind, "config": {"name": "it", **config}}


def _distributed(d):
    kind = d.of("Dense", "Activation", "Convolution2D", "MaxPooling2D")
    config, x, weights, *_ = DRAWS[kind][0](d)
    clips = np.stack([x, x[::-1]], axis=1)
    named = {f"it_{suffix}": array for suffix, array in weights.items()}
    return {"layer": _wrapped(config, kind)}, clips, named


def _bidirectional(d):
    kind, mode = d.of(*GATES), d.of("concat", "sum", "mul", "ave")
    config, x, weights, more = DRAWS[kind][0](d)
    drawn = {
        f"{half}_it_{suffix}": array * np.float32(sign)
        for half, sign in (("forward", 1), ("backward", -1))
        for suffix, array in weights.items()
    }
    return {"layer": _wrapped(config, kind), "merge_mode": mode}, x, drawn, more


ALL = ("1.0.6", *LATER)
# class -> (draw, the releases that have it, how often it comes)
DRAWS = {
    "Activation": (_activation, ALL, 1),
    "ActivityRegularization": (_rate("l1"), ALL, 1),
    "AveragePooling1D": (_step_pooling, ALL, 1),
    "AveragePooling2D": (_pooling, ALL, 2),
    "BatchNormalization": (_normalisation, ALL, 4),
    "Bidirectional": (_bidirectional, LATER, 2),
    "Convolution1D": (_step_convolution, ALL, 3),
    "Convolution2D": (_convolution, ALL, 6),
    "Cropping1D": (
        lambda d: ({"cropping": list(d.shape(2, 0, 2))}, d.input(*d.shape(2, 5)), {}), LATER, 1
    ),
    "Cropping2D": (_cropping, LATER, 1),
    "Dense": (_dense, ALL, 3),
    "Dropout": (_rate("p"), ALL, 1),
    "ELU": (_slope("alpha", 1.0, 0.7, 0.2, 3.0), ALL, 1),
    "Embedding": (_embedding, ALL, 1),
    "Flatten": (lambda d: ({}, d.input(*d.shape(d.size(2, 3))), {}), ALL, 1),
    "GRU": (_recurrent("GRU"), ALL, 3),
    "GaussianDropout": (_rate("p"), ALL, 1),
    "GaussianNoise": (_rate("sigma"), ALL, 1),
    "GlobalAveragePooling1D": (lambda d: ({}, d.input(*d.shape(2)), {}), LATER, 1),
    "GlobalAveragePooling2D": (_global, LATER, 1),
    "GlobalMaxPooling1D": (lambda d: ({}, d.input(*d.shape(2)), {}), LATER, 1),
    "GlobalMaxPooling2D": (_global, LATER, 1),
    "LSTM": (_recurrent("LSTM"), ALL, 3),
    "LeakyReLU": (_slope("alpha", 0.3, 0.01, 0.0, 1 / 5.5), ALL, 1),
    "Masking": (_masking, ALL, 1),
    "MaxPooling1D": (_step_pooling, ALL, 1),
    "MaxPooling2D": (_pooling, ALL, 2),
    "Merge": (_merge, ALL, 6),
    "PReLU": (_parametric, ALL, 2),
    "Permute": (_permute, ALL, 1),
    "RepeatVector": (lambda d: ({"n": d.size(1, 5)}, d.input(d.size(1, 9)), {}), ALL, 1),
    "Reshape": (_reshape, ALL, 1),
    "SimpleRNN": (_recurrent("SimpleRNN"), ALL, 3),
    "SpatialDropout1D": (_rate_on(2), LAST, 1),
    "SpatialDropout2D": (_rate_on(3), LAST, 1),
    "SpatialDropout3D": (_rate_on(4), LAST, 1),
    "ThresholdedReLU": (_slope("theta", 1.0, 0.1, 0.0, 2.3), ALL, 1),
    "TimeDistributed": (_distributed, ALL, 2),
    "TimeDistributedDense": (_dense_steps, ALL, 1),
    "UpSampling1D": (lambda d: ({"length": d.size(1, 4)}, d.input(*d.shape(2)), {}), ALL, 1),
    "UpSampling2D": (
        lambda d: ({"size": list(d.shape(2, 1, 3))}, d.input(*d.shape(3, 1, 6)), {}), ALL, 1
    ),
    "ZeroPadding1D": (_step_padding, ALL, 1),
    "ZeroPadding2D": (_padding, ALL, 1),
}  # fmt: skip


def drawn(release, count, seed):
    """So many layers that a release has, each from a seed of its own."""
    turns = [
        kind for kind, (_, has, often) in DRAWS.items() if release in has for _ in range(often)
    ]
    order = np.random.default_rng(seed).permutation(len(turns))
    rows = []
    for number in range(count):
        kind = turns[order[number % len(turns)]]
        d = Draw([seed, int(release.replace(".", "")), number], release)
        arguments, x, weights, *more = DRAWS[kind][0](d)
        rows.append(Single(kind, arguments, x, weights, *more, since=release))
    return rows
