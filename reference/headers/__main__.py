"""`python -m reference.headers HEADER`: write the headers that Theano's C modules begin with to
HEADER, and what g++ makes of them, with the flags that Theano compiles with, beside it.
"""

import subprocess
import sys
from pathlib import Path

import theano
from theano.gof.cc import CLinker
from theano.gof.cmodule import DynamicModule, std_include_dirs


def main(header):
    """Theano also compiles small programs without its headers, to try what the processor can."""
    x = theano.tensor.vector()
    linker = CLinker().accept(theano.gof.FunctionGraph([x], [x + x]))
    includes = ["#include " + name for name in [*DynamicModule().includes, *linker.headers()]]
    lines = ['#if __has_include("theano_mod_helper.h")', *includes, "#endif", ""]
    Path(header).write_text("\n".join(lines))
    folders = ["-I" + folder for folder in std_include_dirs()]
    flags = ["-g0", "-fvisibility=hidden", *linker.compile_args(), *folders]
    made = [theano.config.cxx, *flags, "-x", "c++-header", header, "-o", header + ".gch"]
    subprocess.run(made, check=True)


if __name__ == "__main__":
    main(sys.argv[1])
