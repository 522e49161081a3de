"""Mutants of the project that the gate must catch, and harmless edits that it must pass."""
