"""A stranger's port in PyTorch, of the network that `tests/ports/test_torch.py` describes.

It runs in an environment with PyTorch and NumPy, and nothing of this project's tests.
"""

from pathlib import Path

import numpy as np
import torch


class Net(torch.nn.Module):
    """Its parts have names of their own; `features.act` is called by no other name in Keras, and
    two steps are no modules.
    """

    def __init__(self, arrays):
        super().__init__()
        conv = torch.nn.Conv2d(1, 4, 3, padding=1)
        dense = torch.nn.Linear(4 * 4 * 4, 5)
        self.features = torch.nn.Sequential()
        self.features.add_module("conv", conv)
        self.features.add_module("act", torch.nn.ReLU())
        self.features.add_module("pool", torch.nn.MaxPool2d(2))
        self.dense = dense
        kernels = arrays["conv"][0][:, :, ::-1, ::-1]  # Theano convolves, torch correlates
        with torch.no_grad():
            for parameter, array in (
                (conv.weight, kernels), (conv.bias, arrays["conv"][1]),
                (dense.weight, arrays["scores"][0].T), (dense.bias, arrays["scores"][1]),
            ):  # fmt: skip
                parameter.copy_(torch.from_numpy(np.ascontiguousarray(array)))

    def forward(self, x):
        samples = x.size(0)
        flat = self.features(x).view(samples, -1)
        return torch.nn.functional.softmax(self.dense(flat), -1)


def build(model, weights, keras):
    held = np.load(Path(weights).with_name("arrays.npz"))
    return Net({name: (held[f"{name}_W"], held[f"{name}_b"]) for name in ("conv", "scores")})
