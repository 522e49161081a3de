"""What Theano 1.0.5 and Keras 1.x need before they import on Python 3.11. Neither is changed; each
shim says why it is there.
"""

import collections
import collections.abc
import importlib
import inspect
import sys

_ArgSpec = collections.namedtuple("_ArgSpec", "args varargs keywords defaults")
_MOVED_IN_SCIPY_1_8 = {
    "scipy.signal.signaltools": "scipy.signal._signaltools",
    "scipy.signal.sigtools": "scipy.signal._sigtools",
}


def apply():
    """Put every shim in place and import Theano. Call before anything else imports Theano or
    Keras; twice does no harm.
    """
    inspect.getargspec = _getargspec
    _restore_collections()
    _alias_scipy()
    _without_compiled_scan()
    _import_ifelse()
    _batched_dot_in_python()


def _getargspec(function):
    """Python 3.11 dropped it; Keras calls it on theano.function (keras/backend/theano_backend.py,
    class Function).
    """
    return _ArgSpec(*inspect.getfullargspec(function)[:4])


def _restore_collections():
    """Python 3.10 moved the abstract classes out of `collections`; Keras 1.2 imports Iterable from
    there (keras/callbacks.py).
    """
    for name in collections.abc.__all__:
        if not hasattr(collections, name):
            setattr(collections, name, getattr(collections.abc, name))


def _alias_scipy():
    """theano/tensor/nnet/abstract_conv.py takes three private names from where SciPy kept them
    before 1.8.

    Without them Theano cannot convolve in Python, which is what `optimizer=None` does.
    """
    for old, new in _MOVED_IN_SCIPY_1_8.items():
        sys.modules[old] = importlib.import_module(new)


def _without_compiled_scan():
    """Scan's C (theano/scan_module/c_code) does not compile against Python 3.11; None makes Theano
    take its Python loop.
    """
    sys.modules["theano.scan_module.scan_perform_ext"] = None


def _import_ifelse():
    """Keras 1.2 says `theano.ifelse.ifelse` and trusts that something has imported that module;
    Theano 1.0 on a CPU does not.
    """
    importlib.import_module("theano.ifelse")


def _batched_dot_in_python():
    """The C of BatchedDot calls Fortran's dgemm, which Theano's own stand-in for a BLAS does not
    have; without a library it does not load. Without C, Theano takes the Op's own NumPy.
    """
    from theano.gof.op import CLinkerOp
    from theano.tensor.blas import BatchedDot

    BatchedDot.c_code = CLinkerOp.c_code
