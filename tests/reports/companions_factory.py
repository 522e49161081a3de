"""Makes what may lie beside parity.json: microscope.json, faults.json, investigation.json. Figures
are plausible, not measured.
"""

MADE = {"created": "2024-05-06T07:08:09Z", "environment": {"parity": "0.1.0", "numpy": "1.23.5"}}
STATE = {"max_abs": 6.0e-8, "rms": 1.3e-8}


def _gru(units=32, steps=4):
    rows = [
        {
            "step": step + 1,
            "state": STATE,
            "rho_port": 0.09 * (step + 1),
            "bound": 1.7e-6,
            "rho_original": 0.08,
            "gates": {"z": 1.2e-7, "r": 2.0e-7, "candidate": 4.9e-7},
        }
        for step in range(steps)
    ]
    gate = {
        "shut": 0.07,
        "open": 0.34,
        "shut_by_step": [0.07] * steps,
        "open_by_step": [0.34] * steps,
    }
    sources = {
        "states_original": "recorded float32",
        "gates_original": "float64 oracle",
        "port": "float32, states and gates",
    }
    return {
        "steps": steps,
        "units": units,
        "sources": sources,
        "saturation": {"z": gate, "r": gate},
        "free": rows,
        "forced": rows,
    }


def _normalization(mode=0, channels=8):
    sides = {
        side: [0.25 * channel for channel in range(channels)]
        for side in ("port", "original", "drift")
    }
    statistics = {
        "port": {"mean_u": 0.5, "variance_u": 4.4},
        "original": {"mean_u": 0.8, "variance_u": 3.4},
    }
    return {
        "mode": mode,
        "channels": channels,
        "gain_u": {**sides, "drift": [None, *sides["drift"][1:]]},
        "offset": sides,
        "worst": {
            "gain_u": 1.75,
            "gain_channel": 7,
            "offset": 7.3e-8,
            "offset_channel": 7,
            "gain_limit_u": 6.0,
        },
        "batch": {"inferred": statistics, "measured": {"port": statistics["port"]}}
        if mode
        else None,
    }


def _convolution(visible=True):
    return {
        "asymmetry": {"whole": 1.49, "least": 0.05, "least_kernel": 31},
        "decidability": 2.2e7 if visible else 0.1,
        "visible": visible,
        "message": None
        if visible
        else "conv1: a flip could not be seen here, as its kernels are symmetric",
        "flipped": {"max_abs": 3.8e-6, "rms": 1.5e-7},
        "unflipped": {"max_abs": 35.5, "rms": 2.1},
    }


def _worth(drift="unflipped kernel", layers=("conv1",), final=0.57, changed=True):
    tag = {
        "expected": "jazz",
        "actual": "pop" if changed else "jazz",
        "changed": changed,
        "k": 5,
        "jaccard": 0.43,
        "tau": 0.29,
    }
    return {
        "drift": drift,
        "layers": list(layers),
        "start": layers[0],
        "at_layer": {name: {"max_abs": 35.5, "rms": 2.1, "relative": 1.6} for name in layers},
        "final": {"max_abs": final, "rms": 0.2, "finite": True},
        "tags": [tag],
    }


def _training(keras="1.0.6"):
    sides = {
        name: {"running_mean": 6.0e-8 * (at + 1), "running_std": 1e-7 * 10.0**at, "divisor": 4.6e-8}
        for at, name in enumerate(("port", "stock Chainer", "oracle"))
    }
    figures = [
        f"{name}_max_{unit}"
        for name in ("running_mean", "running_std", "divisor")
        for unit in ("abs", "u")
    ]
    return {
        "keras": keras,
        "momentum": 0.9,
        "shape": [2, 8, 12, 10],
        "updates": [{"update": at + 1, "sides": sides} for at in range(3)],
        "sides": {name: dict.fromkeys((*figures, "rho"), 0.3) for name in sides},
        "rho_original": 0.29,
    }


def microscope():
    """Three models; CRNN with a GRU, CNN0 with batch statistics."""

    def model(name, gru, mode):
        worth = [
            _worth(),
            _worth("stock Chainer throughout", ("conv1", "bn_0_freq"), "inf"),
            _worth(final=6.0e-8, changed=False),
        ]
        return {
            "name": name,
            "data": "real",
            "gru": gru,
            "batch_normalization": {"bn_0_freq": _normalization(mode)},
            "convolution": {"conv1": _convolution()},
            "clean": STATE,
            "worth": worth,
        }

    return {
        "format": 1,
        "data": "real",
        **MADE,
        "command": "parity microscope",
        "train_phase": [_training("1.0.6"), _training("1.1.0")],
        "models": [model("CRNN", {"gru1": _gru()}, 0), model("CNN0", {}, 2), model("CNN", {}, 0)],
    }


def _share(layer, share=0.98):
    return {
        "space": "logits",
        "share": share,
        "energy": 0.97,
        "blamed_layer": layer,
        "blamed_share": share,
        "above_rounding": 5e4,
        "drift": 0.3,
        "sound_drift": 2.1e-6,
        "final": 0.12,
        "sound_final": 6.0e-8,
        "message": None,
    }


def blame(layer="conv1", **changes):
    """Whose the drift at the end is."""
    return {
        "space": "logits",
        "share": 0.99,
        "energy": 0.998,
        "blamed_layer": layer,
        "blamed_share": 0.99,
        "above_rounding": 36.0,
        "drift": 4e-3,
        "sound_drift": 2e-5,
        "final": 5.4e-5,
        "sound_final": 2.4e-7,
        "message": None,
        **changes,
    }


def improvement():
    """The published port's formulas, found out at one layer."""
    found = {
        "layer": "bn1",
        "verdict": "FORMULA(unnamed)",
        "share": 0.78,
        "energy": 0.92,
        "cause": {
            "hypothesis": "eps under the root",
            "survivors": ["eps under the root"],
            "estimate": None,
        },
    }
    return {
        "id": "CNN-published-port",
        "model": "CNN",
        "what": "the published port's batch normalisation",
        "layers": [found],
        "holds": ["bn2"],
        "space": "logits",
        "drift": 5.6e-3,
        "sound_drift": 1.8e-5,
        "final": 5.8e-5,
        "sound_final": 2.4e-7,
        "message": None,
    }


def _fault(name, layer="conv1", **changes):
    return {
        "id": f"CNN0-{layer}-{name}",
        "model": "CNN0",
        "layer": layer,
        "kind": "weights",
        "expected_cause": name,
        "verdict": "GROSS",
        "located_layer": layer,
        "cause": {"hypothesis": name, "survivors": [name], "estimate": None},
        "caught": True,
        "located": True,
        "named": True,
        "undecidable": False,
        "observability": None,
        "message": None,
        "changed_layers": [layer],
        "attribution": blame(layer),
        "apart": None,
        "attributed": True,
        "seconds": 1.5,
        **changes,
    }


def faults(count=3):
    """`count` named faults, one missed, one undecidable, one misplaced; a quiet reordering and a
    false alarm; an improvement.
    """
    missed = {
        "verdict": "ROUNDING",
        "located_layer": None,
        "cause": None,
        "caught": False,
        "located": False,
        "named": False,
    }
    planted = [
        *(_fault(f"named-{at}") for at in range(count)),
        _fault("missed", **missed, observability=2.5, apart="below rounding", attributed=None),
        _fault(
            "invisible",
            **missed,
            observability=0.02,
            undecidable=True,
            attribution=blame("output", above_rounding=0.3),
            apart="below rounding",
            attributed=None,
        ),
        _fault(
            "misplaced",
            located_layer="bn1",
            located=False,
            named=False,
            attribution=blame("bn1"),
            attributed=False,
        ),
    ]
    harmless = [
        {
            "id": f"CNN0-conv1-{name}",
            "model": "CNN0",
            "layer": "conv1",
            "verdict": verdict,
            "located_layer": None,
            "quiet": quiet,
            "message": None,
            "seconds": 1.0,
        }
        for name, verdict, quiet in (("blocked", "ROUNDING", True), ("folded", "GROSS", False))
    ]
    totals = {
        "faults": count + 3,
        "undecidable": 1,
        "decidable": count + 2,
        "caught": count + 1,
        "located": count,
        "named": count,
        "survivors": 2,
        "harmless": 2,
        "quiet": 1,
        "attributable": count + 1,
        "attributed": count + 1,
        "several_layers": 0,
        "no_end": 0,
        "below_rounding": 2,
    }
    return {
        "format": 1,
        "data": "real",
        "created": "2024-05-06T07:08:09Z",
        "command": "parity faults",
        "environment": None,
        "selection": None,
        "faults": planted,
        "harmless": harmless,
        "improved": [improvement()],
        "totals": totals,
        "promises": [
            {"text": f"promise {at}", "holds": holds, "figure": 0.97}
            for at, holds in enumerate((True, False, None))
        ],
    }


def _finding(name, verdict, chart):
    rows = [["conv1", 338.0, 12.0, True], ["conv2", 0.5, None, False]]
    evidence = {
        "id": "spread",
        "title": "what arrives at each layer",
        "columns": ["layer", "arriving", "stored", "fits"],
        "rows": rows,
        "note": "rms of the two clips",
        "chart": chart,
    }
    return {
        "id": name,
        "claim": f"{name}: the spread that arrives is 28 times the stored one",
        "verdict": verdict,
        "effect": {
            "what": "arriving over stored standard deviation",
            "value": 28.2,
            "unit": "times",
        },
        "advice": "standardise the spectrogram",
        "scope": "measured on the real weights",
        "evidence": [evidence],
        "hypothesis": f"{name}: what arrives is as wide as what is stored",
        "sentence": "The spread that arrives is 28 times the stored one.",
    }


def investigation():
    """A question with a finding of each verdict, and one that could not be answered."""
    bars = {"kind": "bars", "x": "layer", "y": ["arriving", "stored"], "series": None, "log": True}
    findings = [
        _finding("decibels", "proved", bars),
        _finding("batch", "refuted", None),
        _finding("noise", "not decidable", None),
    ]
    asked = {
        "stack": {"CNN": "1.0.6"},
        "optimizer": "fast_run",
        "optimizer_noise": {
            "CNN": {"max_abs": 3.6e-7, "logits_max_abs": 1e-5, "ratio": 0.1, "holds": True}
        },
    }
    return {
        "format": 1,
        "created": "2024-05-06T07:08:09Z",
        "command": "parity investigate",
        "data": "real",
        "environment": {},
        "seconds": 12.5,
        "clips": ["thejazzpiano"],
        "left_out": [{"clip": "broken.mp3", "message": "it cannot be decoded"}],
        "conclusion": [
            {"text": "The spread that arrives is 28 times the stored one.", "finding": "decibels"}
        ],
        "questions": [
            {
                "id": "input",
                "question": "What does the network expect at its input?",
                "message": None,
                **asked,
                "findings": findings,
            },
            {
                "id": "later",
                "question": "What else?",
                "message": "needs the audio, which is not here",
                **asked,
                "findings": [],
            },
        ],
    }


EVERY = {make.__name__: make for make in (microscope, faults, investigation)}


def all_three():
    """{name: document}, as parity.reports.companions.beside gives them and html.page takes them."""
    return {name: make() for name, make in EVERY.items()}
