"""The harness: proves a port against recorded originals, layer by layer, by derived rounding
bounds.
"""

__version__ = "0.1.0"
