"""`python -m parity`: the command line of parity.cli."""

from parity.cli import main

if __name__ == "__main__":
    main(prog_name="parity")
