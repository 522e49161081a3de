"""A port that cannot be imported here."""

raise RuntimeError("no GPU here")
