"""The words of the report, a line each."""

GLOSSARY = (
    (
        "original",
        (
            "the published model as unmodified Keras and Theano run it: float32, Theano's "
            "optimizer off"
        ),
    ),
    (
        "port",
        (
            "the same model and weights in another framework; every comparison is port "
            "against original, in that order"
        ),
    ),
    (
        "truth",
        (
            "the original run once more in float64; where float32 results scatter, it says "
            "which is nearer"
        ),
    ),
    (
        "oracle",
        (
            "each layer's formula, written a third time in float64; it says what the layer "
            "should have given"
        ),
    ),
    (
        "isolated",
        (
            "the port's layer fed the original's own input, bit for bit: what differs was "
            "made in this layer"
        ),
    ),
    (
        "chained",
        (
            "the port fed its own output from the first layer on: drift that earlier layers "
            "made is handed down"
        ),
    ),
    (
        "rho, share of rounding's allowance",
        "largest error as a share of the most that float32 rounding of this formula"
        " explains; up to 100 % is rounding, beyond it is something else",
    ),
    (
        "q",
        "rms error over the rms error expected of one float32 accumulator: about 1 for a "
        "plain loop, 0.3 to 0.7 for a"
        " blocked matrix product, above 1.5 suspicious",
    ),
    (
        "rho (proved bound)",
        "largest error over the bound that no order of float32 operations can exceed; above 1 it is"
        " no rounding",
    ),
    (
        "effective bits",
        "how many leading bits of the tensor agree with the oracle; float32 holds 24, bfloat16 8",
    ),
    ("bitwise", "share of elements equal in every bit"),
    (
        "inherited, made here",
        (
            "the part of a chained drift that came in with the input, and the part that the "
            "layer added"
        ),
    ),
    (
        "amplification",
        "how much the layer enlarged (above 1) or damped (below 1) the drift of its input",
    ),
    (
        "share of the final drift",
        "the part of the drift at the model's logits that this layer made; all layers "
        "together make 100 %,"
        " and a layer that cancels others' drift has a share below 0",
    ),
    (
        "energy",
        (
            "the size of what a layer made of the final drift, whichever way it points: "
            "always above 0, all layers make 100 %"
        ),
    ),
    (
        "nearer the truth",
        "which of port and original is nearer to the float64 oracle, and by how many bits",
    ),
    (
        "cause, survivors, undecidable",
        "the named formula that explains a layer that does not hold, all others that "
        "explain it as well,"
        " and those that this layer and this input could not have shown",
    ),
    ("R²", "how much of the difference the named formula accounts for: 1.000 is all of it"),
    (
        "asymmetry",
        (
            "|W − turned W| / |W|: how much a kernel differs from itself turned by 180°; at "
            "0 no input could show a missing flip"
        ),
    ),
    (
        "sd",
        (
            "standard deviation: how far rounding in all layers moves a logit, on average; a "
            "drift of a few sd is usual"
        ),
    ),
    (
        "stability",
        (
            "how many times larger rounding would have to be to change the set of top tags; "
            "below 1 it may change by rounding alone"
        ),
    ),
    (
        "planted fault, kill table",
        "a port broken on purpose; the harness has to catch it, find its layer and name its cause",
    ),
    (
        "own noise",
        (
            "the original against itself: compiled by Theano's optimizer (fast_run) against "
            "not compiled"
        ),
    ),
    (
        "seeded stand-ins",
        (
            "weights and clips generated from a fixed seed, with the published shapes but "
            "not the published values"
        ),
    ),
)
