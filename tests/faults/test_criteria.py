"""The promises of the planted faults: each holds, is broken, or was not tried; a broken one is
exit code 1.
"""

import pytest
from test_fault_runs import CHOSEN, found, quiet, record

from parity.faults import criteria, run, table
from parity.reports import faults as drawn

BY_ID = {fault.id: fault for fault in table.FAULTS}
CAUSE = {"hypothesis": "a cause", "survivors": []}


def of(document, word):
    (promise,) = [promise for promise in document["promises"] if word in promise["text"]]
    return promise["holds"], promise["figure"]


def with_fault(name, **changes):
    return run.document([record(BY_ID[name], **changes)], [], data="real", selection=[name])


@pytest.mark.parametrize(
    ("value", "holds"), [(1.009e-5, True), (0.991e-5, True), (1.02e-5, False), (None, False)]
)
def test_an_eps_has_to_be_read_to_one_percent(value, holds):
    estimate = None if value is None else {"what": "eps", "value": value, "se": 1e-9}
    document = with_fault(criteria.EPS, cause={**CAUSE, "estimate": estimate})
    assert of(document, "an eps of 1e-5") == (holds, value) and run.holds(document) == holds


@pytest.mark.parametrize(
    ("causes", "holds"),
    [
        (
            {
                "bn_0_freq": criteria.PUBLISHED_CAUSE,
                "bn1": criteria.PUBLISHED_CAUSE + " sqrt(std^2 + eps), eps 2e-05",
            },
            True,
        ),
        ({"bn1": criteria.PUBLISHED_CAUSE}, False),
        ({"bn_0_freq": criteria.PUBLISHED_CAUSE, "bn1": None}, False),
        (
            {
                "bn_0_freq": criteria.PUBLISHED_CAUSE,
                "bn1": criteria.PUBLISHED_CAUSE,
                "bn2": criteria.PUBLISHED_CAUSE,
            },
            False,
        ),
    ],
)
def test_the_published_formulas_have_to_be_found_at_two_layers(causes, holds):
    (one,) = [each for each in table.PUBLISHED if each.id == criteria.PUBLISHED]
    layers = [
        {
            "layer": name,
            "verdict": "GROSS",
            "cause": {"hypothesis": cause, "survivors": [], "estimate": None},
            "share": 0.4,
            "energy": 0.5,
        }
        for name, cause in causes.items()
    ]
    there = {
        "id": one.id,
        "model": one.model,
        "what": "formulas",
        "layers": layers,
        "holds": [],
        "message": None,
        "space": "logits",
        **dict.fromkeys(("drift", "sound_drift", "final", "sound_final"), 1.0),
    }
    document = run.document([], [], [there], data="real", selection=[one.id])
    assert of(document, "published port") == (holds, pytest.approx(0.4 * len(causes)))
    assert run.holds(document) == holds


def test_stand_in_weights_promise_no_single_figure():
    document = run.document(
        [record(BY_ID[criteria.EPS], cause=None)], [], data="seeded", selection=["some"]
    )
    assert of(document, "an eps of 1e-5") == (None, None) and run.holds(document)


def test_what_was_not_tried_is_neither_kept_nor_broken():
    document = found()
    assert [of(document, word)[0] for word in ("an eps of 1e-5", "published port")] == [None] * 2
    assert run.holds(document) and "not tried" in drawn.text(document)


def test_a_whole_run_needs_six_reorderings_that_change_bits():
    def whole(changing, selection=None):
        heard = [
            quiet(fault, changed=("conv3",) if at < changing else ())
            for at, fault in enumerate(table.HARMLESS[:8])
        ]
        return run.document(
            [record(fault) for fault in CHOSEN], heard, data="real", selection=selection
        )

    assert run.holds(whole(6)) and not run.holds(whole(5)) and run.holds(whole(5, ["some"]))
    assert (whole(6)["totals"]["harmless"], whole(6)["totals"]["unchanged"]) == (6, 2)
    assert (
        "6 of 6 harmless reorderings raised no alarm (2 more changed no bit and prove nothing)"
        in drawn.text(whole(6))
    )
    assert "no bit changed" in drawn.text(whole(6)) and "no bit changed" not in drawn.text(whole(8))


def test_a_selection_is_said():
    assert drawn.sentence(found()).startswith(
        "A selection of 1, not the whole table: 5 faults planted"
    )
    assert drawn.sentence({**found(), "selection": None}).startswith("5 faults planted")


def test_the_document_with_its_promises_is_valid():
    document = found()
    drawn.validate(document)
    assert len(document["promises"]) == len(criteria.PROMISES)
