"""The gate: is this the network that was proved, and is it still as faithful as it was.

Three limits, each on its own: `budget`, the verdict rules on the fresh figures alone; `ratchet`,
the drift against the committed baseline; `identity`, every tensor, layer, setting and version
against it. A fourth, `baseline`, is the baseline's own: entries that are missing or obsolete.
"""
