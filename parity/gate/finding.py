"""What the gate found, and in which order it is told."""

from typing import NamedTuple

LIMITS = ("baseline", "identity", "budget", "ratchet")
WHOLE = ""  # the layer of what concerns a whole model


class Finding(NamedTuple):
    """One thing that is not as it was proved. layer : a layer's name, "final", or "" for the whole
    model.
    """

    model: str
    layer: str
    limit: str
    text: str

    @property
    def place(self):
        """`CNN0 / conv3`, or the model alone."""
        return " / ".join(part for part in (self.model, self.layer) if part)


def in_network_order(findings, order):
    """Findings of one model by place in the network, whole-model ones first; at one layer in the
    order of LIMITS.

    order : layer names in network order; what is not among them (a layer nobody declared, "final")
    comes last.
    """
    places = {WHOLE: -1, **{name: place for place, name in enumerate(order)}}
    return sorted(
        findings,
        key=lambda found: (places.get(found.layer, len(places)), LIMITS.index(found.limit)),
    )
