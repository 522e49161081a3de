"""`python -m parity`: the command line of parity.cli."""

import sys

try:
    from parity.cli import main
except ModuleNotFoundError as missing:
    sys.stderr.write(
        f"parity: {missing}; run it with .tox/harness/bin/python, which `make parity` builds\n"
    )
    sys.exit(2)

if __name__ == "__main__":
    main(prog_name="parity")
