"""What is said of the batch, by verdict: never more than was found."""

from parity.studies.unstable_cnn.finding import PROVED, REFUTED, UNDECIDABLE, Table

PINNED = (
    "Always give it the same batch, or freeze its statistics (`python -m tagger "
    "calibrate`); what it says of a clip is said of "
    "that batch."
)
_OPEN = "Compare original and port first (`make parity` with these clips)."


def dependence(model, said, kinds, still, layers):
    """{claim, advice, sentence}. kinds: of batch.by_kind; still: what order alone moves; layers:
    rows of batch_layers.layers_table.
    """
    listed = "; ".join(
        f"beside {name} another first tag in {flips} of {count} cases, a score by up to {score:.3f}"
        for name, (count, flips, score, *_) in kinds.items()
    )
    most, shared = max(of[4] for of in kinds.values()), min(of[3] for of in kinds.values())
    explained = (
        f" The batch mates explain {layers[-1][1]:.0%} of the logits' variance over these batches."
        if layers
        else ""
    )
    order = (
        " Beside itself, or with the same clips in another order, it moves by at most "
        f"{still:.2g} of what rounding can do."
    )
    figures = (
        f"{listed}; as little as {shared:.2f} of the top ten is shared, and the logits "
        f"move by {most:.3g} times "
        "what rounding can do"
    )
    claim = {
        PROVED: f"What {model} says of a clip depends on the other clips of its batch: "
        f"{figures}.{explained}{order} "
        "How much depends on the mates, and these are only some of all there could be.",
        REFUTED: (
            f"No clip put beside another moves a logit of {model} by more than {most:.2g} of "
            f"what rounding can do.{order}"
        ),
        UNDECIDABLE: (
            f"Original and port disagree on whether the batch changes {model}'s answer. In "
            f"the original, {figures}."
        ),
    }[said]
    name, (count, flips, score, *_) = next(iter(kinds.items()))
    sentence = {
        PROVED: f"{model}'s answer depends on the other clips in the batch: {name} changes its "
        f"first tag in {flips} of {count} "
        f"cases, scores by up to {score:.2f}.",
        REFUTED: (
            f"{model}'s answer does not depend on its batch: nothing moves by more than "
            f"{most:.2g} of what rounding can do."
        ),
    }
    advice = {PROVED: PINNED, REFUTED: "Nothing: any batch will do.", UNDECIDABLE: _OPEN}[said]
    return {"claim": claim, "advice": advice, "sentence": sentence.get(said)}


def kinds_table(model, kinds):
    """The cases by what the batch mates are."""
    return Table(
        f"batch-kinds-{model}",
        f"{model}: what the batch changes, by what a clip's mates are",
        [
            "mates",
            "cases",
            "another first tag",
            "largest change of a score",
            "least of the top ten shared",
            "share of rounding",
        ],
        [[name, *of] for name, of in kinds.items()],
        (
            "The original, against the clip alone. The same mates in another order count "
            "once; a clip beside itself is no case."
        ),
    )


def independence(names, said, count, moves, share):
    """{claim, advice, sentence}. moves: largest change of a logit, and as a share of what rounding
    can do.
    """
    figures = (
        f"in {count} cases of a clip beside others, silence and noise among them, the logits "
        f"move by up to {moves:.2g}"
    )
    claim = {
        PROVED: (
            f"What {names} say of a clip depends on its batch: {figures}, {share:.2g} times "
            "what rounding can do."
        ),
        REFUTED: (
            f"{names} do not care about the batch: {figures}, {share:.2g} of what rounding can do."
        ),
        UNDECIDABLE: (
            f"Original and port disagree on whether the batch changes what {names} say: in "
            f"the original, {figures}."
        ),
    }[said]
    sentence = {
        REFUTED: f"The batch does not affect {names}.",
        PROVED: (
            f"The batch changes what {names} say: their logits move by {share:.2g} times what "
            "rounding can do."
        ),
    }
    advice = {
        PROVED: PINNED,
        REFUTED: "Nothing: these may be given any batch.",
        UNDECIDABLE: _OPEN,
    }[said]
    return {"claim": claim, "advice": advice, "sentence": sentence.get(said)}


def in_both(said, count, worst):
    """{claim, advice, sentence}. count: clips in batches; worst: largest difference of port and
    original over rounding's allowance.
    """
    figures = (
        f"in {count} cases of a clip in a batch, their logits differ by at most {worst:.2g} "
        "of what rounding can do"
    )
    claim = {
        PROVED: (
            f"The port answers every batch as the original does: {figures}. What a batch "
            "changes is the original's own."
        ),
        REFUTED: f"The port does not answer every batch as the original does: {figures}.",
        UNDECIDABLE: "No clip stood in a batch in both.",
    }[said]
    sentence = {
        PROVED: (
            f"The port does the same in all {count} cases: the batch effect is the original's own."
        ),
        REFUTED: (
            f"The port differs from the original by {worst:.2g} times what rounding can do in "
            "some batch."
        ),
    }
    advice = {
        PROVED: "Do not look for it in the port.",
        REFUTED: "Run `make parity` with these clips: the port differs from the original.",
    }
    return {"claim": claim, "advice": advice.get(said, _OPEN), "sentence": sentence.get(said)}


def of_one(model, said, last, values, clips, levels, left):
    """{claim, advice, sentence}. values: of each statistic of `last`; levels, left: variance left
    in its channels, in the logits.
    """
    figures = (
        f"each statistic of {last} is made of {values} values of its own; of the variance "
        f"between {clips} clips {left:.2f} is left "
        "in the logits"
    )
    claim = {
        PROVED: f"Alone in its batch, a clip loses most of what tells it from others: {figures}. "
        f"(In the levels of {last}'s channels "
        f"nothing can be left, by construction: {levels:.1g} is.)",
        REFUTED: f"Alone in its batch, a clip keeps what tells it from others: {figures}, and "
        f"{levels:.2g} in the levels of {last}'s "
        "channels.",
        UNDECIDABLE: (
            "Original and port disagree on what a clip alone in its batch keeps: in the "
            f"original, {figures}."
        ),
    }[said]
    sentence = {
        PROVED: (
            f"For a clip alone in its batch, {model} keeps only {left:.0%} of what tells "
            "clips apart."
        ),
        REFUTED: (
            f"A clip alone in its batch keeps {left:.0%} of what tells clips apart in {model}."
        ),
    }
    advice = {
        PROVED: (
            "Never tag one clip alone with batch statistics; freeze them (`python -m tagger "
            "calibrate`)."
        ),
        REFUTED: "Nothing.",
        UNDECIDABLE: _OPEN,
    }[said]
    return {"claim": claim, "advice": advice, "sentence": sentence.get(said)}
