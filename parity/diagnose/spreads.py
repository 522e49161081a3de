"""The formulas of 1/spread: Keras's dialects, what ports made of them, and what taking one for
another is called.
"""

import re

import numpy as np

from parity.kinds import oracle

EPSILONS = (1e-6, 1e-5, 2e-5, 1e-3)  # Keras 1.0.4 - 1.0.7, 1.0.8 - 1.1.2, Chainer, Keras 1.2

# 1/spread of a stored or measured value s: Keras's dialects (normalization.py of each version),
# then what ports made of them.
SPREADS = {
    "1/(s + eps)": lambda s, eps: 1 / (s + eps),
    "1/(sqrt(s) + eps)": lambda s, eps: 1 / (np.sqrt(s) + eps),
    "1/sqrt(s + eps)": lambda s, eps: 1 / np.sqrt(s + eps),
    "1/sqrt(s^2 + eps)": lambda s, eps: 1 / np.sqrt(s * s + eps),
    "1/(sqrt(s + eps) + eps)": lambda s, eps: 1 / (np.sqrt(s + eps) + eps),
    "1/(sqrt(s^2 + eps) + eps)": lambda s, eps: 1 / (np.sqrt(s * s + eps) + eps),
}
# (the original's formula, another formula): what taking one for the other amounts to.
MEANINGS = {
    ("1/(s + eps)", "1/(sqrt(s) + eps)"): "standard deviation taken for a variance (Keras 1.0.7)",
    (
        "1/(s + eps)",
        "1/sqrt(s + eps)",
    ): "standard deviation taken for a variance (Keras 1.0.8 and later)",
    (
        "1/(s + eps)",
        "1/sqrt(s^2 + eps)",
    ): "eps under the root: the published Chainer port's sqrt(std^2 + eps)",
    ("1/(s + eps)", "1/(sqrt(s^2 + eps) + eps)"): "eps twice",
    ("1/(sqrt(s) + eps)", "1/(s + eps)"): "variance taken for a standard deviation (Keras 1.0.6)",
    ("1/(sqrt(s) + eps)", "1/sqrt(s + eps)"): "eps under the root (Keras 1.0.8 and later)",
    ("1/sqrt(s + eps)", "1/(s + eps)"): "variance taken for a standard deviation (Keras 1.0.6)",
    ("1/sqrt(s + eps)", "1/(sqrt(s) + eps)"): "eps beside the root (Keras 1.0.7)",
    ("1/(sqrt(s + eps) + eps)", "1/(s + eps)"): "variance taken for a standard deviation",
    ("1/(sqrt(s + eps) + eps)", "1/(sqrt(s) + eps)"): "eps beside the root (Keras 1.0.7)",
    ("1/(sqrt(s + eps) + eps)", "1/sqrt(s + eps)"): "eps once (Keras 1.0.8 and later)",
}
MEANINGS |= {
    (own, "1/(sqrt(s + eps) + eps)"): "eps twice"
    for own in ("1/(sqrt(s) + eps)", "1/sqrt(s + eps)")
}
MEANINGS |= {
    (own, "1/sqrt(s^2 + eps)"): "variance squared: stored standard deviations expected"
    for own in ("1/(sqrt(s) + eps)", "1/sqrt(s + eps)", "1/(sqrt(s + eps) + eps)")
}
CHAINERS = ("1/sqrt(s + eps)", 2e-5)


def own_spread(subject):
    """(name, function) of the original's formula for 1/spread, its Keras version and mode
    considered.
    """
    stored, batch = oracle.dialect(subject.keras)
    own = batch if subject.layer.config["mode"] == 2 else stored
    probe = np.array([0.3, 2.0])
    return next(
        (name, made)
        for name, made in SPREADS.items()
        if np.allclose(made(probe, 0.1), own(probe, 0.1), rtol=1e-14)
    )


def spread_name(subject, name, eps):
    """What using that formula with that eps is called at this layer."""
    own, own_eps = own_spread(subject)[0], float(subject.layer.config["epsilon"])
    if name == own:
        return f"eps {eps:g} instead of {own_eps:g}"
    return f"{MEANINGS.get((own, name), f'spread {name}')}, eps {eps:g}"


def formula_name(name, eps):
    """A formula of 1/spread and its eps, as it is added to another cause."""
    whose = "Chainer's " if (name, eps) == CHAINERS else ""
    return f"{whose}{name}, eps {eps:g}"


def eps_in(name):
    """The eps a hypothesis' name states, or None."""
    found = re.search(r"eps ([0-9.e+-]+)", name)
    return float(found.group(1)) if found else None
