"""The port's forward pass beside the same network of stock Chainer links: two clips, float32, test
phase, no gradients.

`python -m bench.port_speed [--json]`: one line per model, ratios of one run. Timings alternate, so
that both sides meet the same machine; the figures are medians. Weights and input are random: they
do not change the work.
"""

import argparse
import json
import statistics
import time
from types import MappingProxyType

import chainer
import chainer.functions as F
import chainer.links as L
import numpy as np

from parity.port.architectures import MEL_SHAPE, MODELS
from parity.port.network import Network

TIMED = ("CRNN", "CNN0", "CNN")
CLIPS = 2
RUNS = 5
LIMIT = 1  # the port at least as fast


class StatefulSequence(chainer.Chain):
    """Stock L.StatefulGRU looped over time: x (B,T,in) -> (B,T,out) or the last state."""

    def __init__(self, in_size, out_size, return_sequences=False):
        super().__init__()
        self.return_sequences = return_sequences
        with self.init_scope():
            self.gru = L.StatefulGRU(in_size, out_size)

    def forward(self, x):
        self.gru.reset_state()
        states = [self.gru(x[:, t]) for t in range(x.shape[1])]
        return F.stack(states, axis=1) if self.return_sequences else states[-1]


class BatchStatistics(L.BatchNormalization):
    """Stock batch normalisation that always takes the batch's statistics, which is what mode 2
    asks for.
    """

    def forward(self, x):
        return F.batch_normalization(x, self.gamma, self.beta, axis=self.axis)


def _batch_normalization(link):
    others = tuple(other for other in range(4) if other != link.axis)
    return (BatchStatistics if link.mode == 2 else L.BatchNormalization)(
        link.gamma.size, axis=others
    )


# Keras class name -> the stock link or function in the place of the port's link.
STOCK = {
    "ZeroPadding2D": lambda link: link,
    "BatchNormalization": _batch_normalization,
    "Convolution2D": lambda link: L.Convolution2D(*link.W.shape[1::-1], 3, pad=1),
    "ELU": lambda link: F.elu,
    "MaxPooling2D": lambda link: (
        lambda x: F.max_pooling_2d(x, link.arguments["pool_size"], cover_all=False)
    ),
    "Dropout": lambda link: link,
    "Permute": lambda link: link,
    "Reshape": lambda link: link,
    "Flatten": lambda link: link,
    "GRU": lambda link: StatefulSequence(link.W.shape[1], link.out_size, link.return_sequences),
    "Dense": lambda link: chainer.Sequential(L.Linear(*link.W.shape[::-1]), F.sigmoid),
}


def stock(model, instead=MappingProxyType({})):
    """The network of `model` out of stock Chainer links, but for some steps."""
    network = Network(model)
    kinds = MODELS[model].layers
    return chainer.Sequential(
        *(instead.get(name) or STOCK[kinds[name]](network[name]) for name in kinds)
    )


def measure(model, runs=RUNS):
    """Seconds of both forward passes (medians of `runs`) and how many times faster the port is."""
    x = np.random.default_rng(0).standard_normal((CLIPS, *MEL_SHAPE), dtype=np.float32)
    networks = {"port": Network(model), "stock": stock(model)}
    seconds = {name: [] for name in networks}
    with chainer.using_config("train", False), chainer.no_backprop_mode():
        for _ in range(runs + 1):  # the first round warms up
            for name, network in networks.items():
                start = time.perf_counter()
                network(x)
                seconds[name].append(time.perf_counter() - start)
    medians = {f"{name}_s": statistics.median(times[1:]) for name, times in seconds.items()}
    return {"model": model, **medians, "stock_over_port": medians["stock_s"] / medians["port_s"]}


def rows():
    """One row per model: the port's seconds over those of the stock links."""
    for row in map(measure, TIMED):
        yield (
            f"{row['model']}: the port's forward pass over stock Chainer links",
            f"{1 / row['stock_over_port']:.2f}",
            LIMIT,
        )


def main():
    """Print a line per model, or JSON."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.port_speed", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--json", action="store_true", help="a JSON list in place of the lines")
    results = []
    as_json = parser.parse_args().json
    for model in TIMED:
        results.append(row := measure(model))
        if not as_json:
            print(
                (
                    "{model:6} port {port_s:.3f} s, stock links {stock_s:.3f} s: "
                    "{stock_over_port:.2f} times as fast"
                ).format(**row)
            )
    if as_json:
        print(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
