import numpy as np

from parity.architecture import INPUT, parse
from parity.port.from_keras import KerasModel, KerasPort

CONV = {
    "name": "conv", "nb_filter": 6, "nb_row": 1, "nb_col": 1, "subsample": [1, 1], "bias": True,
    "border_mode": "valid", "dim_ordering": "th", "activation": "relu",
    "batch_input_shape": [None, 5, 9, 11],
}  # fmt: skip
MEAN = {"name": "mean", "dim_ordering": "th"}


def test_the_whole_is_its_layers_in_a_row_bit_for_bit():
    """A convolution's output lies in another order in memory, in which a mean rounds otherwise."""
    kinds = [("Convolution2D", CONV), ("GlobalAveragePooling2D", MEAN)]
    layers = [{"class_name": kind, "config": config} for kind, config in kinds]
    described = parse({"class_name": "Sequential", "config": layers})
    draw = np.random.default_rng(0)
    arrays = {"W": draw.normal(size=(6, 5, 1, 1)), "b": draw.normal(size=6)}
    arrays = {key: each.astype(np.float32) for key, each in arrays.items()}
    port = KerasPort(KerasModel(described, {"conv": arrays}, "1.2.2"))
    x = out = draw.normal(size=(4, 5, 9, 11)).astype(np.float32)
    for node in described.nodes:
        if node.kind != INPUT:
            out = port.run(node.name, np.ascontiguousarray(out))
    assert np.array_equal(port(x), out)
