"""A small parity.json with everything the gate reads: two models of four layers, plausible
figures, made up.
"""

import copy
import hashlib
from dataclasses import asdict

from parity.results import Layer, Probed, Read

LAYERS = (
    ("conv1", "Convolution2D", [2, 8, 96, 100]),
    ("bn1", "BatchNormalization", [2, 8, 96, 100]),
    ("pool1", "MaxPooling2D", [2, 8, 48, 50]),
    ("output", "Dense", [2, 50]),
)
OTHERS = {
    "worst_index": [0, 1],
    "structure": None,
    "support": None,
    "beyond": 0,
    "fault": "",
    "input_fault": "",
    "exact": False,
    "structured": False,
    "rho_det_exact": True,
    "proved": False,
    "rho_transform": None,
    "bitwise_equal": False,
    "signed_zeros": 0,
    "share": None,
    "energy": None,
}
APPROVED = {"at": "2024-05-06T07:08:09Z", "by": "somebody", "reason": "first"}


def sha(text):
    return hashlib.sha256(text.encode()).hexdigest()


def layer(name, kind, shape, rho=0.4, q=0.6):
    exact = kind == "MaxPooling2D"
    word = "EXACT" if exact else "ROUNDING"
    rho, q = (0.0, 0.0) if exact else (rho, q)
    record = asdict(Layer(name, kind))
    record.update(shape=shape, dtype="float32")
    for cell in (record["isolated"], record["chained"]):
        cell.update({key: OTHERS.get(key, 1e-7) for key in cell})
        cell.update({"exact": True, "bitwise_equal": True, "rho_port": 0.0} if exact else {})
    record["isolated"].update(
        verdict=word,
        rho_port=rho,
        rho_reference=rho,
        q_port=q,
        q_reference=q,
        message=None,
    )
    record["chained"].update(verdict=word, rho_local=rho, message=None)
    record["probed"] = asdict(probed(word, () if exact else ("W", "b")))
    return record


def probed(verdict, names):
    """A layer all of whose weights were read back."""
    counts = {"count": 9, "read": 9, "within": 9, "equal": 9, "close": 9}
    return Probed(verdict, None, read=[Read(name, **counts, sha256=sha(name)) for name in names])


def identity(model):
    tensors = {
        f"{name}/{suffix}": ["float32", [3, 3], sha(f"{model}{name}{suffix}")]
        for name, suffix in (("conv1", "W"), ("conv1", "b"), ("bn1", "gamma"), ("output", "W"))
    }
    original = [
        {
            "name": name,
            "kind": kind,
            "shape": shape,
            "dtype": "float32",
            "config": sha(name),
            "inbound": ["before"],
        }
        for name, kind, shape in LAYERS
    ]
    settings = {
        "conv1": {"pad": [1, 1]},
        "bn1": {"eps": 1e-6, "momentum": 0.9, "mode": 2},
        "pool1": {"pool_size": [2, 2]},
        "output": {},
    }
    return {
        "weights": {"sha256": sha(model), "tensors": tensors},
        "batch": [sha("one"), sha("two")],
        "declared": [name for name, _, _ in LAYERS],
        "original": original,
        "definition": sha("definition"),
        "port": [{"name": name, "settings": values} for name, values in settings.items()],
        "stack": {
            "original": {"keras": "1.0.6", "theano": "1.0.5"},
            "harness": {"numpy": "1.23.5", "chainer": "7.8.1"},
        },
    }


def model(name="CNN0", data="real"):
    final = {
        "port_reference": 1e-7,
        "noise_reference": 2e-7,
        "port_truth": 1.2e-7,
        "reference_truth": 6e-8,
        "noise_truth": 1e-7,
        "allowed": 2e-7,
        "holds": True,
    }
    return {
        "name": name,
        "verdict": "HOLDS",
        "worst": None,
        "data": data,
        "weights": {"file": "w.h5", "sha256": sha(name)},
        "stack": {
            "name": "keras106",
            "python": "3.11.9",
            "keras": "1.0.6",
            "theano": "1.0.5",
            "flags": "optimizer=None",
        },
        "clips": [{"name": "one", "sha256": sha("one")}, {"name": "two", "sha256": sha("two")}],
        "batch_size": 2,
        "first_divergence": None,
        "final": final,
        "oracle_truth": {"layer": "conv1", "ratio": 0.03},
        "layers": [layer(*row) for row in LAYERS],
        "tags": [],
        "identity": identity(name),
    }


def document(*models, data="real"):
    environment = {
        "python": "3.11.9",
        "numpy": "1.23.5",
        "chainer": "7.8.1",
        "blas": "OpenBLAS",
        "threads": 1,
        "os": "Linux",
        "cpu": "x86_64",
        "parity": "0.1.0",
    }
    return copy.deepcopy(
        {
            "format": 1,
            "verdict": "HOLDS",
            "data": data,
            "created": "2024-05-06T07:08:09Z",
            "command": "parity run",
            "environment": environment,
            "port": "parity.port.proof:steps",
            "selection": None,
            "models": list(models) or [model("CNN0", data), model("CNN", data)],
        }
    )
