"""Makes what may lie beside parity.json: microscope.json, faults.json, investigation.json. Figures are plausible, not measured."""

STATE = {"max_abs": 6.0e-8, "rms": 1.3e-8}


def _gru(units=32, steps=4):
    rows = [{"step": step + 1, "state": STATE, "rho_port": 0.09 * (step + 1), "bound": 1.7e-6, "rho_original": 0.08,
             "gates": {"z": 1.2e-7, "r": 2.0e-7, "candidate": 4.9e-7}} for step in range(steps)]
    gate = {"shut": 0.07, "open": 0.34, "shut_by_step": [0.07] * steps, "open_by_step": [0.34] * steps}
    sources = {"states_original": "recorded float32", "gates_original": "float64 oracle", "port": "float32, states and gates"}
    return {"steps": steps, "units": units, "sources": sources, "saturation": {"z": gate, "r": gate}, "free": rows, "forced": rows}


def _normalization(mode=0, channels=8):
    sides = {side: [0.25 * channel for channel in range(channels)] for side in ("port", "original", "drift")}
    statistics = {"port": {"mean_u": 0.5, "variance_u": 4.4}, "original": {"mean_u": 0.8, "variance_u": 3.4}}
    return {"mode": mode, "channels": channels, "gain_u": {**sides, "drift": [None, *sides["drift"][1:]]}, "offset": sides,
            "worst": {"gain_u": 1.75, "gain_channel": 7, "offset": 7.3e-8, "offset_channel": 7, "gain_limit_u": 6.0},
            "batch": {"inferred": statistics, "measured": {"port": statistics["port"]}} if mode else None}


def _convolution(visible=True):
    return {"asymmetry": {"whole": 1.49, "least": 0.05, "least_kernel": 31}, "decidability": 2.2e7 if visible else 0.1,
            "visible": visible, "message": None if visible else "conv1: a flip could not be seen here, as its kernels are symmetric",
            "flipped": {"max_abs": 3.8e-6, "rms": 1.5e-7}, "unflipped": {"max_abs": 35.5, "rms": 2.1}}


def _worth(drift="unflipped kernel", layers=("conv1",), final=0.57, changed=True):
    tag = {"expected": "jazz", "actual": "pop" if changed else "jazz", "changed": changed, "k": 5, "jaccard": 0.43, "tau": 0.29}
    return {"drift": drift, "layers": list(layers), "start": layers[0],
            "at_layer": {name: {"max_abs": 35.5, "rms": 2.1, "relative": 1.6} for name in layers},
            "final": {"max_abs": final, "rms": 0.2, "finite": True}, "tags": [tag]}


def _training(keras="1.0.6"):
    sides = {name: {"running_mean": 6.0e-8 * (at + 1), "running_std": 1e-7 * 10.0**at, "divisor": 4.6e-8}
             for at, name in enumerate(("port", "stock Chainer", "oracle"))}
    figures = [f"{name}_max_{unit}" for name in ("running_mean", "running_std", "divisor") for unit in ("abs", "u")]
    return {"keras": keras, "momentum": 0.9, "shape": [2, 8, 12, 10], "updates": [{"update": at + 1, "sides": sides} for at in range(3)],
            "sides": {name: dict.fromkeys((*figures, "rho"), 0.3) for name in sides}, "rho_original": 0.29}


def microscope():
    """Three models; CRNN with a GRU, CNN0 with batch statistics."""
    def model(name, gru, mode):
        worth = [_worth(), _worth("stock Chainer throughout", ("conv1", "bn_0_freq"), "inf"), _worth(final=6.0e-8, changed=False)]
        return {"name": name, "data": "real", "gru": gru, "batch_normalization": {"bn_0_freq": _normalization(mode)},
                "convolution": {"conv1": _convolution()}, "clean": STATE, "worth": worth}

    return {"format": 1, "command": "parity microscope", "train_phase": [_training("1.0.6"), _training("1.1.0")],
            "models": [model("CRNN", {"gru1": _gru()}, 0), model("CNN0", {}, 2), model("CNN", {}, 0)]}


def _fault(name, layer="conv1", **changes):
    return {"id": f"CNN0-{layer}-{name}", "model": "CNN0", "layer": layer, "kind": "weights", "expected_cause": name, "verdict": "GROSS",
            "located_layer": layer, "cause": {"hypothesis": name, "survivors": [name], "estimate": None}, "caught": True, "located": True,
            "named": True, "undecidable": False, "observability": None, "message": None, "seconds": 1.5, **changes}


def faults(count=3):
    """`count` named faults, one missed, one undecidable, one misplaced; a quiet reordering and a false alarm."""
    missed = {"verdict": "ROUNDING", "located_layer": None, "cause": None, "caught": False, "located": False, "named": False}
    planted = [*(_fault(f"named-{at}") for at in range(count)), _fault("missed", **missed, observability=2.5),
               _fault("invisible", **missed, observability=0.02, undecidable=True),
               _fault("misplaced", located_layer="bn1", located=False, named=False)]
    harmless = [{"id": f"CNN0-conv1-{name}", "model": "CNN0", "layer": "conv1", "verdict": verdict, "located_layer": None, "quiet": quiet,
                 "message": None, "seconds": 1.0} for name, verdict, quiet in (("blocked", "ROUNDING", True), ("folded", "GROSS", False))]
    totals = {"faults": count + 3, "undecidable": 1, "decidable": count + 2, "caught": count + 1, "located": count, "named": count,
              "survivors": 2, "harmless": 2, "quiet": 1}
    return {"format": 1, "data": "real", "selection": None, "faults": planted, "harmless": harmless, "totals": totals}


def _finding(name, verdict, chart):
    rows = [["conv1", 338.0, 12.0, True], ["conv2", 0.5, None, False]]
    evidence = {"id": "spread", "title": "what arrives at each layer", "columns": ["layer", "arriving", "stored", "fits"], "rows": rows,
                "note": "rms of the two clips", "chart": chart}
    return {"id": name, "claim": f"{name}: the spread that arrives is 28 times the stored one", "verdict": verdict,
            "effect": {"what": "arriving over stored standard deviation", "value": 28.2, "unit": "times"},
            "advice": "standardise the spectrogram", "scope": "measured on the real weights", "evidence": [evidence],
            "sentence": "The spread that arrives is 28 times the stored one."}


def investigation():
    """A question with a finding of each verdict, and one that could not be answered."""
    bars = {"kind": "bars", "x": "layer", "y": ["arriving", "stored"], "series": None, "log": True}
    findings = [_finding("decibels", "proved", bars), _finding("batch", "refuted", None), _finding("noise", "not decidable", None)]
    asked = {"stack": {"CNN": "1.0.6"}, "optimizer": "fast_run",
             "optimizer_noise": {"CNN": {"max_abs": 3.6e-7, "logits_max_abs": 1e-5, "ratio": 0.1, "holds": True}}}
    return {"format": 1, "created": "2024-05-06T07:08:09Z", "command": "parity investigate", "data": "real", "environment": {},
            "seconds": 12.5, "clips": ["thejazzpiano"], "left_out": [{"clip": "broken.mp3", "message": "it cannot be decoded"}],
            "conclusion": [{"text": "The spread that arrives is 28 times the stored one.", "finding": "decibels"}],
            "questions": [{"id": "input", "question": "What does the network expect at its input?", "message": None, **asked,
                           "findings": findings},
                          {"id": "later", "question": "What else?", "message": "needs the audio, which is not here", **asked,
                           "findings": []}]}


EVERY = {make.__name__: make for make in (microscope, faults, investigation)}


def all_three():
    """{name: document}, as reports.companions.beside gives them and html.page takes them."""
    return {name: make() for name, make in EVERY.items()}
