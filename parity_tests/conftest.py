"""Runs the parity job once for the models whose cells were collected, and hands each test its own
record.
"""

import os
from pathlib import Path

import pytest

from parity import run
from parity.model import MODELS, case_for, select

HERE = Path(__file__).parent
CHOSEN = select(
    os.environ.get("PARITY_MODEL", "").split(), os.environ.get("PARITY_LAYER", "").split()
)


def pytest_generate_tests(metafunc):
    """One test per declared cell, from the declared list and not from what happened to run."""
    models, layers = CHOSEN
    if "record" not in metafunc.fixturenames:
        return
    if "layer" in metafunc.fixturenames:
        pairs = [
            (model, layer)
            for model in models
            for layer in MODELS[model].layers
            if not layers or layer in layers
        ]
        metafunc.parametrize(
            ("model", "layer"), pairs, ids=[f"{model}-{layer}" for model, layer in pairs]
        )
    else:
        metafunc.parametrize("model", models)


def pytest_collection_modifyitems(items):
    """Whatever needs the run is slow, the more so where no trace has been recorded yet."""
    for item in items:
        if item.path.parent == HERE and "document" in item.fixturenames:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def document(request):
    """The run's document, for the models that were collected here."""
    mine = [
        item.callspec.params
        for item in request.session.items
        if item.path.parent == HERE and hasattr(item, "callspec")
    ]
    wanted = {params["model"] for params in mine if "model" in params}
    chosen = [case_for(model) for model in CHOSEN[0] if model in wanted or not wanted]
    return run.run(chosen, workers=2, command="pytest parity_tests")


@pytest.fixture
def record(document, model):
    """One model's record."""
    return next(record for record in document["models"] if record["name"] == model)
