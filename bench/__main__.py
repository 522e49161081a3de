"""`python -m bench [NAME]...`: run the benchmarks and print one table of figures beside what they
may be at most.
"""

import importlib
import sys

BENCHES = (
    "port_speed",
    "onnx_speed",
    "fast_run",
    "comparing",
    "explaining",
    "recording",
    "whole_run",
    "probing",
    "smallest",
    "harmless",
    "gate",
    "faults",
    "microscope",
    "tagging",
    "collections",
    "report",
    "investigate",
    "reliability",
)


def main(names):
    """Print a Markdown row (what, figure, limit) as soon as each figure is there."""
    unknown = [name for name in names if name not in BENCHES]
    if unknown:
        sys.exit(f"bench: no benchmark called {unknown[0]}; known: {', '.join(BENCHES)}")
    print("| what | measured | at most |\n|---|---|---|")
    for name in names or BENCHES:
        for what, figure, limit in importlib.import_module(f"bench.{name}").rows():
            print(f"| {what} | {figure} | {limit} |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
