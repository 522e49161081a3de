"""The words of the page, each explained once: where it stands on the page, and in the glossary."""

from typing import NamedTuple


class Term(NamedTuple):
    """A word or several that mean the same, and what they mean."""

    title: str
    meaning: str


def _table(rows: str) -> dict[str, Term]:
    lines = (map(str.strip, row.split("|", 2)) for row in rows.strip().splitlines())
    return {key: Term(title, meaning) for key, title, meaning in lines}


TERMS = _table("""
original | original | the published model as unmodified Keras and Theano run it: float32, Theano's optimizer off
port | port | the same model and weights in another framework; every comparison is port against original, in that order
truth | truth | the original run once more in float64; where float32 results scatter, it says which is nearer
oracle | oracle | each layer's formula, written a third time in float64; it says what the layer should have computed
isolated | isolated (teacher-forced) | the port's layer is fed the original's own input, bit for bit: any difference was made in this layer
chained | chained (free-running) | each layer of the port is fed the port's own output: drift made by earlier layers is handed down
probed | probed | the port's layer is asked questions whose answers are known, by formula and not by recording: it shows which function it computes, and its weights are read back from its answers
share | rho, share of rounding's allowance | largest error as a share of the most that float32 rounding of this formula explains; up to 100 % is rounding, more is something else. Both bars, the port's and below it the original's, end at this limit
q | q | rms error over the rms error expected of one float32 accumulator: about 1 for a plain loop, 0.3 to 0.7 for a blocked matrix product, above 1.5 suspicious
det | rho (proved bound) | largest error over the bound that no order of float32 operations can exceed; above 1 it is not rounding
bits | effective bits | how many leading bits of the tensor agree with the oracle; float32 holds 24, bfloat16 8
bitwise | bitwise | share of elements equal in every bit
difference | largest difference | of one element of the port's output from the original's, on the original's own input
drift | drift | difference of the port's output from the original's, each from its own chain
inherited | inherited, made here | the part of a chained drift that came in with the input, and the part that the layer added
rounding | what rounding allows in the chain | how far rounding in all layers up to here may part two float32 runs, root mean square, by Monte-Carlo arithmetic on the oracle
amplification | amplification | how much the layer enlarged (above 1) or damped (below 1) the drift of its input
final | share of the final drift | the part of the drift at the model's logits that this layer made: 100 % in all; a layer that cancels others' drift has a share below 0
energy | energy | the size of a layer's part of the final drift, whichever way it points: never below 0, 100 % in all
nearer | nearer the truth | which of port and original is nearer to the float64 oracle, and by how many bits
cause | cause, survivors, undecidable | the named formula that explains why a layer does not hold; all others that explain it as well; those whose effect this layer and this input could not have shown
r2 | R² | how much of the difference the named formula accounts for: 1.000 is all of it
asymmetry | asymmetry | |W − turned W| / |W|: how much a kernel differs from itself turned by 180°; at 0 no input could show a missing flip
sd | sd | standard deviation: how far rounding in all layers moves a logit, on average; a drift of a few sd is usual
stability | stability | how many times larger rounding would have to be to change the set of top tags; below 1 rounding alone may change it
planted | planted fault, kill table | a port broken on purpose (a mutant): the harness has to catch it, find its layer and name its cause
noise | own noise | the original against itself: compiled by Theano's optimizer (fast_run) against uncompiled
seeded | seeded stand-ins | weights and clips generated from a fixed seed, with the published shapes but not the published values
""")  # noqa: E501
