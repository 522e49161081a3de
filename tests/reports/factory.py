"""Makes whole parity.json documents: clean, failing, seeded, incomplete, hostile. Figures are
plausible, not measured.
"""

import copy
import hashlib
import json


def sha(name):
    """A digest that no other name has."""
    return hashlib.sha256(name.encode("utf-8", "backslashreplace")).hexdigest()


AXES = {
    4: ["clip", "channel", "mel band", "time frame"],
    3: ["clip", "time step", "unit"],
    2: ["clip", "unit"],
}
KINDS = (
    ("bn_0_freq", "BatchNormalization", [2, 1, 96, 1440]),
    ("conv1", "Convolution2D", [2, 64, 96, 1366]),
    ("pool1", "MaxPooling2D", [2, 64, 48, 341]),
    ("gru1", "GRU", [2, 15, 32]),
    ("gru2", "GRU", [2, 32]),
    ("output", "Dense", [2, 50]),
)


def isolated(verdict="ROUNDING", **figures):
    exact = verdict == "EXACT"
    return {
        "verdict": verdict,
        "rho_port": 0.0 if exact else 0.4237,
        "rho_reference": 0.3411,
        "q_port": 0.0 if exact else 0.5812,
        "q_reference": 0.6120,
        "rho_det": 0.0123,
        "max_abs": 0.0 if exact else 3.1e-7,
        "rms": 0.0 if exact else 4.4e-8,
        "worst_index": [0, 14, 7],
        "worst_actual": 0.48219,
        "worst_expected": 0.48218969,
        "worst_allowed": 1.5e-6,
        "bitwise_equal": exact,
        "bitwise_share": 1.0 if exact else 0.3712,
        "beyond": 0,
        "beyond_share": 0.0,
        "effective_bits": 22.4,
        "structure": None,
        "support": None,
        "message": None,
        **figures,
    }


def chained(verdict="ROUNDING", **figures):
    return {
        "verdict": verdict,
        "rho_local": 0.3987,
        "max_abs": 6.2e-7,
        "rms": 7.3e-8,
        "inherited": 5.1e-7,
        "local": 2.9e-7,
        "amplification": 1.37,
        "share": None,
        "energy": None,
        "noise_max_abs": 8.6e-7,
        "noise_rms": 9.7e-8,
        "rounding_rms": 6.1e-7,
        **figures,
    }


def layer(name="conv1", kind="Convolution2D", shape=(2, 64, 96, 1366), **parts):
    return {
        "name": name,
        "kind": kind,
        "shape": list(shape),
        "dtype": "float32",
        "axes": AXES.get(len(shape), []),
        "isolated": isolated(),
        "chained": chained(),
        "cause": None,
        "closer": None,
        "closeness_bits": None,
        **parts,
    }


def probed(verdict="ROUNDING", **parts):
    """What a layer answers to its probes: a convolution's weights are read back."""
    weights = {"name": "W", "count": 576, "read": 576, "within": 576, "equal": 576, "close": 576}
    exact = {"to_u": 0.0, "worst_u": 0.0, "shows_u": 0.0, "at": None, "hidden": None}
    asked = {"name": "impulses of 2^64", "probes": 3, "answers": 8847360, "wrong": 0, "share": 0.0}
    return {
        "verdict": verdict,
        "message": None,
        "asked": [{**asked, "q": None, "q_where": ""}],
        "read": [{**weights, **exact, "sha256": sha("W")}],
        "batches": [5, 1, 2],
        "form": None,
        "cause": None,
        "place": None,
        "original": {"probes": 3, "wrong": 0, "truth": 0.01, "message": None},
        **parts,
    }


def probes(**parts):
    """What a model's probes add up to."""
    sums = {"seed": 7, "layers": 6, "proved": 6, "weights": 576, "read": 576, "call": None}
    return {**sums, **parts}


def model(name="CNN0", **parts):
    layers = [layer(*kind) for kind in KINDS]
    layers[2].update(isolated=isolated("EXACT"))
    return {
        "name": name,
        "verdict": "HOLDS",
        "worst": {"layer": "conv1", "mode": "isolated", "verdict": "ROUNDING", "rho": 0.4237},
        "data": "real",
        "weights": {"file": f"weights/{name.lower()}.h5", "sha256": sha(name + ".h5")},
        "stack": {
            "name": "keras106",
            "python": "3.11.9",
            "keras": "1.0.6",
            "theano": "1.0.5",
            "flags": "optimizer=None,floatX=float32",
        },
        "clips": [
            {"name": "thejazzpiano", "sha256": sha("thejazzpiano")},
            {"name": "actionable", "sha256": sha("actionable")},
        ],
        "batch_size": 2,
        "first_divergence": None,
        "final": {
            "port_reference": 1.01e-7,
            "noise_reference": 8.9e-8,
            "port_truth": 1.22e-7,
            "reference_truth": 6.3e-8,
            "noise_truth": 9.4e-8,
        },
        "oracle_truth": {"layer": "gru1", "ratio": 0.0312},
        "seconds": 12.3,
        "layers": layers,
        "tags": [
            {
                "clip": "thejazzpiano",
                "top": [{"tag": "jazz", "expected": 0.8123456, "actual": 0.8123457, "delta": 1e-7}],
                "swaps": [],
                "stability": None,
            }
        ],
        **parts,
    }


def document(models=None, **parts):
    return {
        "format": 1,
        "verdict": "HOLDS",
        "data": "real",
        "created": "2024-05-06T07:08:09Z",
        "command": "make parity DATA=data",
        "environment": {
            "python": "3.11.9",
            "numpy": "1.23.5",
            "chainer": "7.8.1",
            "blas": "OpenBLAS 0.3.20",
            "threads": 1,
            "os": "Linux 6.1",
            "cpu": "x86_64",
            "parity": "0.1.0",
        },
        "port": "parity.port.proof:steps",
        "models": [model("CRNN"), model("CNN0"), model("CNN")] if models is None else models,
        **parts,
    }


def at(record, path):
    """The value at `path`: `models/0/name`."""
    for step in path.split("/"):
        record = record[int(step) if step.isdecimal() else step]
    return record


def changed(path, value, run=None):
    """A clean run, or a copy of `run`, with another value at `path`."""
    run = copy.deepcopy(run or document())
    place, _, key = path.rpartition("/")
    (at(run, place) if place else run)[int(key) if key.isdecimal() else key] = value
    return run


def cases(table):
    """{name: (path, value, what is said)} of lines `name | path | value as JSON | what is said`."""
    rows = (line.split(" | ") for line in table.strip().splitlines())
    return {name: (path, json.loads(value), says) for name, path, value, says in rows}


def failing():
    """CRNN's gru1 computes another formula; gru2 and output inherit; CNN0's conv1 is gross."""
    crnn, cnn0 = (
        model("CRNN", verdict="DRIFTS", first_divergence="gru1"),
        model("CNN0", verdict="DRIFTS", first_divergence="conv1"),
    )
    crnn["worst"] = {
        "layer": "gru1",
        "mode": "isolated",
        "verdict": "FORMULA(reset-after)",
        "rho": 209.3,
    }
    crnn["layers"][3].update(
        isolated=isolated(
            "FORMULA(reset-after)",
            rho_port=209.3,
            q_port=88.4,
            rho_det=14.2,
            max_abs=3.1e-4,
            worst_actual=0.48219,
            worst_expected=0.48188,
            beyond=12,
            beyond_share=0.0125,
            support="time steps 2 to 14, every unit",
        ),
        chained=chained(
            "FORMULA(reset-after)", rho_local=208.1, max_abs=3.3e-4, local=3.1e-4, inherited=4e-7
        ),
        cause={
            "hypothesis": "reset gate applied after the matrix product",
            "survivors": [],
            "undecidable": [],
            "estimate": None,
            "r2": 0.99987,
        },
    )
    for late in crnn["layers"][4:]:
        late.update(chained=chained("INHERITED", max_abs=2.2e-4, inherited=2.2e-4, local=1.3e-7))
    cnn0["worst"] = {"layer": "conv1", "mode": "isolated", "verdict": "GROSS", "rho": "inf"}
    cnn0["layers"][1].update(
        isolated=isolated("GROSS", rho_port="inf", max_abs="nan", worst_actual="nan"),
        chained=chained("GROSS", rho_local="inf"),
    )
    return document([crnn, cnn0, model("CNN")], verdict="DRIFTS")


def asked():
    """A model whose probes find another function at one layer and could not ask another, one whose
    original is not its formula, and one that holds.
    """
    models = [model(name, probes=probes()) for name in ("CRNN", "CNN0", "CNN")]
    for each in (layer for record in models for layer in record["layers"]):
        each["probed"] = probed()
    one, two = models[:2]
    one.update(verdict="DRIFTS", probes=probes(proved=4, read=575))
    wrong = {**probed()["read"][0], "within": 575, "equal": 575, "at": [3, 7, 1, 2]}
    one["layers"][1]["probed"] = probed(
        "FORMULA(W (3, 7, 1, 2) is 0.5, not 0.25)",
        message="impulses of 2^64: 9 of 8,847,360 wrong",
        cause="W (3, 7, 1, 2) is 0.5, not 0.25",
        place="channel 3",
        read=[wrong],
    )
    one["layers"][2]["probed"] = probed(
        "NOT PROBED", message="no probes are known for MaxPooling2D", asked=[], read=[], batches=[]
    )
    two.update(verdict="DRIFTS")
    two["layers"][0]["probed"]["original"].update(wrong=2, truth=3.5)
    gate = {"name": "W_z", "count": 4096, "read": 3972, "within": 3972, "equal": 11, "close": 3870}
    sharp = {"to_u": 64.0, "worst_u": 9e5, "shows_u": 59.8, "at": None, "hidden": "gates are shut"}
    models[2]["layers"][3]["probed"].update(
        form="tanh(x/2)/2 + 1/2", read=[{**gate, **sharp, "sha256": None}]
    )
    return document(models, verdict="DRIFTS")


def one_model():
    return document([model("CNN")])


def seeded():
    return document([model(name, data="seeded") for name in ("CRNN", "CNN0", "CNN")], data="seeded")


def incomplete():
    """A layer that only the port has: born failed, no figure."""
    late = model("CNN0", verdict="INCOMPLETE", first_divergence="extra")
    late["layers"].append(
        layer(
            "extra",
            "unknown",
            (),
            dtype="",
            **{
                "isolated": {
                    **dict.fromkeys(isolated()),
                    "verdict": "NOT COMPARED",
                    "message": "the original has no layer extra",
                },
                "chained": {**dict.fromkeys(chained()), "verdict": "NOT COMPARED"},
            },
        )
    )
    return document([late], verdict="INCOMPLETE")


def empty():
    return document([], verdict="INCOMPLETE")


HOSTILE = (
    "</script><script>alert(1)</script>",
    "\"'`|&amp; <!-- -->",
    "音楽タグ",
    "\u202egnihtyna\u202c",
    "\x1b[31mred\x00\n\ud800",
    "a b/c#d?e%20",
)


def hostile():
    """Names that try to be markup, escape codes and other people's columns."""
    broken = model(
        HOSTILE[0], verdict="DRIFTS", first_divergence=HOSTILE[0], probes=probes(call=HOSTILE[0])
    )
    broken["layers"] = [
        layer(name, isolated=isolated("GROSS", message=name), chained=chained("INHERITED"))
        for name in HOSTILE
    ]
    for name, record in zip(HOSTILE, broken["layers"], strict=True):
        found = [{"name": name, "rho": 1.0, "q": 1.0, "distance": 2.0}, name]
        record.update(
            kind=name,
            dtype=name,
            cause={
                "hypothesis": name,
                "survivors": found,
                "undecidable": [name, {"name": name, "D": 0.5}],
                "estimate": {"what": name, "value": 1.0, "se": None},
                "r2": 0.5,
            },
            form={"port": {"lattice_share": 0.5, "formula": name}},
            evidence=hostile_evidence(name),
            probed=probed(
                "GROSS",
                message=name,
                cause=name,
                place=name,
                form=name,
                read=[{**probed()["read"][0], "name": name, "hidden": name}],
            ),
        )
    broken["worst"].update(layer=HOSTILE[4], verdict="GROSS")
    rows = [
        {"tag": name, "expected": 0.5, "actual": 0.4, "delta": -0.1, "rank_expected": at + 1}
        for at, name in enumerate(HOSTILE)
    ]
    broken["tags"] = [
        {"clip": name, "top": rows, "swaps": [{"pair": [name, name]}], "stability": 2.0}
        for name in HOSTILE
    ]
    broken["microscope"] = {
        "gru": {name: {"message": name} for name in HOSTILE},
        "convolution": {name: {"whole": 1.0, "least": 1.0, "least_kernel": 0} for name in HOSTILE},
    }
    broken["attribution"] = {"space": "scores", "message": HOSTILE[0], "drift": 1.0, "ends": None}
    broken["stack"].update(
        dict.fromkeys(("name", "python", "keras", "theano", "flags"), HOSTILE[0])
    )
    broken["oracle_truth"]["layer"] = HOSTILE[4]
    broken["clips"] = [{"name": name, "sha256": sha(name)} for name in HOSTILE]
    known = {
        **document()["environment"],
        **dict.fromkeys(("cpu", "os", "chainer", "extra"), HOSTILE[0]),
        HOSTILE[0]: HOSTILE[4],
    }
    return document(
        [broken],
        verdict="DRIFTS",
        command=HOSTILE[0],
        port=HOSTILE[3],
        environment=known,
        selection=list(HOSTILE),
    )


def hostile_evidence(name):
    """Evidence whose axis has that name, and a map."""
    channels = {
        "axis": name,
        "count": 2,
        "every": 1,
        "gain_u": "1 2",
        "gain_limit_u": "2",
        "offset": "1 2",
        "offset_limit": "2",
    }
    return {"residuals": None, "channels": channels, "map": mapped()}


def mapped():
    return {
        "mode": "isolated",
        "shape": [2, 2],
        "block": [1, 1],
        "least": 1e-9,
        "largest": 1e-8,
        "rows": ["0f", "a1"],
    }


def clean_with_everything():
    """A run that holds and whose layers carry all the evidence there is."""
    run = document()
    counts = {"inside": " ".join(["9"] * 41), "below": 0, "above": 0, "certain": 0, "every": 1}
    for record in (layer for model in run["models"] for layer in model["layers"]):
        record["evidence"] = {
            **hostile_evidence("channel"),
            "residuals": {"port": counts, "original": counts},
        }
    return run


EVERY = {
    make.__name__: make
    for make in (
        document,
        failing,
        one_model,
        seeded,
        asked,
        incomplete,
        empty,
        hostile,
        clean_with_everything,
    )
}
