"""`python -m parity.faults.elsewhere FOLDER`: the port's convolution in a process of its own,
whose BLAS is told to be another's.

FOLDER holds x.npy, W.npy and b.npy; y.npy is written into it. Called with OPENBLAS_CORETYPE set,
which is read as NumPy loads.
"""

import sys
from pathlib import Path

import numpy as np

from parity.port.functions.convolution import same_convolution_2d


def main(folder):
    """Compute y of what lies in the folder."""
    x, W, b = (np.load(folder / f"{name}.npy") for name in "xWb")
    np.save(folder / "y.npy", same_convolution_2d(x, W, b).array)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
