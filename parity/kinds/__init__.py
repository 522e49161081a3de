"""One layer kind, one module: formula, bound, variants, and how a deviation is carried on."""
