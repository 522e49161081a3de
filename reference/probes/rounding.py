"""Runs a graph of float64 as float32 might have rounded it: noise of one rounding at every node
(Monte-Carlo arithmetic).

What a node gets, docs/numerics.md derives: nothing, where it moves or chooses values; one rounding
of its result; the roundings of its operands too, where it adds, since another order of operations
rounds those; those of all its terms, where it sums. Import `reference.legacy` and apply it first.
"""

import copy

import numpy as np
import theano
from theano import scalar
from theano.compile.ops import DeepCopyOp, Rebroadcast, Shape, Shape_i, SpecifyShape, ViewOp
from theano.gof.vm import Stack, VM_Linker
from theano.ifelse import IfElse
from theano.scan_module.scan_op import Scan
from theano.tensor import basic, blas, elemwise, extra_ops, opt, subtensor
from theano.tensor.nnet import abstract_conv, conv, conv3d2d, nnet, sigm
from theano.tensor.signal import pool

U = 2.0**-24
UNIFORM = 3**-0.5  # standard deviation of what lies anywhere in [-1, 1]
ONE = 0.425  # that of one rounding, in u, the mantissa being log-uniform
LIBRARY = 4.0  # u: twice the worst of a float32 library's functions

_MOVE = (
    *(elemwise.DimShuffle, basic.Reshape, basic.Flatten, basic.Join, basic.Split, basic.Tile),
    *(basic.Alloc, basic.AllocEmpty, basic.ARange, basic.Eye, basic.Tri),
    *(basic.ScalarFromTensor, basic.TensorFromScalar, basic.MaxAndArgmax, basic.Argmax),
    *(basic.Nonzero, basic.PermuteRowElements, basic.ExtractDiag, basic.AllocDiag, basic.Choose),
    *(subtensor.Subtensor, subtensor.AdvancedSubtensor1, subtensor.BaseAdvancedSubtensor),
    *(extra_ops.RepeatOp, extra_ops.CpuContiguous, conv3d2d.DiagonalSubtensor),
    *(Shape, Shape_i, ViewOp, DeepCopyOp, Rebroadcast, SpecifyShape, opt.Assert, opt.MakeVector),
    *(IfElse, Scan),  # what is inside a Scan has its own
)  # fmt: skip
_ADD_AT = (
    *(subtensor.IncSubtensor, subtensor.AdvancedIncSubtensor1, conv3d2d.IncDiagonalSubtensor),
    subtensor.BaseAdvancedIncSubtensor,
)
_SUM = (
    *(basic.Dot, blas.BatchedDot, conv.ConvOp, abstract_conv.BaseAbstractConv),
    *(elemwise.Sum, extra_ops.CumOp),
)  # fmt: skip
_CHOOSE = (
    *(scalar.Identity, scalar.Second, scalar.Switch, scalar.Maximum, scalar.Minimum, scalar.Clip),
    *(scalar.Abs, scalar.Neg, scalar.Sgn, scalar.Cast, scalar.Ceil, scalar.Floor, scalar.Trunc),
    *(scalar.RoundHalfToEven, scalar.RoundHalfAwayFromZero, scalar.LogicalComparison),
    *(scalar.FixedLogicalComparison, scalar.BinaryBitOp, scalar.UnaryBitOp),
)
_ONCE = (scalar.Mul, scalar.TrueDiv, scalar.Sqr, scalar.Sqrt, scalar.Inv)


class Rounded:
    """A graph that is computed as it is, and then as float32 might have rounded it.

    inputs, outputs : variables of the graph; outputs are recomputed with other noise at each draw.
    """

    def __init__(self, inputs, outputs):
        self.function = theano.function(
            inputs, self._own(inputs, outputs), mode=self._mode(), on_unused_input="ignore"
        )
        self.outer = self.function.fn

    def run(self, arrays, draws, seed):
        """Yield the outputs as they are, and then those of so many draws."""
        self.rng, self.draws = np.random.default_rng(seed), draws
        self.exact, self.steps, self.unsteady = True, [], set()
        for _ in range(1 + draws):
            self.at = 0
            yield [np.array(each) for each in self.function(*arrays)]
            self.exact = False
        for variable, cell in self.outer.storage_map.items():
            if variable.owner is not None:
                cell[0] = None

    def _own(self, inputs, outputs):
        """A copy of a graph, in which what is inside a Scan is computed like the rest."""
        _, outputs = theano.gof.graph.clone(inputs, outputs, copy_inputs=False)
        for node in theano.gof.graph.io_toposort(inputs, outputs):
            if isinstance(node.op, Scan):
                scan = node.op = copy.copy(node.op)
                vars(scan).pop("fn", None)  # as it was compiled for others
                scan.mode_instance = self._mode()
                scan.outputs = self._own(scan.inputs, scan.outputs)
        return outputs

    def _mode(self):
        made = type("Linker", (VM_Linker,), {"make_vm": self._machine})
        return theano.compile.Mode(linker=made(allow_gc=False, use_cloop=False), optimizer=None)

    def _machine(self, nodes, thunks, inputs, outputs, storage, clear, computed, computes, updated):
        """Theano's own machine for graphs, whose every step goes through here."""
        graph = nodes[0].fgraph if nodes else None
        machine = Stack(nodes, thunks, [], storage, computes, graph, False, len(updated))
        machine.run_thunk_of_node = lambda node: (self._step(machine, node), 0.0)
        return machine

    def _step(self, machine, node):
        at, self.at = self.at, self.at + 1
        thunk = machine.thunks[machine.node_idx[node]]
        storage = machine.storage_map
        if self.exact:
            self.steps.append(None)
            waits = thunk()
            if self.draws and not (waits and thunk.lazy):
                self.steps[at] = self._measured(machine, node, thunk)
            return waits
        noises, kept = self.steps[at] or ((), None)
        if kept is None:
            waits = thunk()
        else:  # as it was: nothing before it has noise
            waits = None
            for variable, value in zip(node.outputs, kept, strict=True):
                storage[variable][0] = value
        if noises == "operands":
            noises = self._of_operands(storage, node, thunk)
        for variable, noise in zip(node.outputs, noises, strict=False):
            if noise is not None:
                cell = storage[variable]
                drawn = self.rng.uniform(-1 / UNIFORM, 1 / UNIFORM, np.shape(cell[0]))
                cell[0] = np.asarray(cell[0] + noise * drawn, cell[0].dtype)
        return waits

    def _measured(self, machine, node, thunk):
        """(standard deviation of each output's noise or None, the outputs where they stay)."""
        storage = machine.storage_map
        with np.errstate(all="ignore"):
            noises = _noises(storage, node, thunk)
        before = any(variable in self.unsteady for variable in node.inputs)
        kept = None
        if machine is self.outer and not before and not isinstance(node.op, (Scan, IfElse)):
            kept = [storage[variable][0] for variable in node.outputs]
        if kept is None or noises:
            self.unsteady.update(node.outputs)
        if noises == "operands":
            kept = None
        return (noises, kept) if noises or kept else None

    def _of_operands(self, storage, node, thunk):
        """Of an operation that nothing is known of: what rounding its operands does to it."""
        inputs = [storage[each] for each in node.inputs]
        own = [cell[0] for cell in inputs]
        for cell, value in zip(inputs, own, strict=True):
            if _is_float(value):
                drawn = self.rng.uniform(-1, 1, np.shape(value))
                cell[0] = np.asarray(value + 2 * _half_ulp(value) * drawn, value.dtype)
        _again(storage, node, thunk)
        for cell, value in zip(inputs, own, strict=True):
            cell[0] = value
        return [
            _half_ulp(storage[each][0]) * UNIFORM if _is_float(storage[each][0]) else None
            for each in node.outputs
        ]


def _is_float(value):
    return getattr(value, "dtype", np.dtype("i4")).kind == "f"


def _half_ulp(value):
    """Half of float32's unit in the last place at float64 values."""
    spacing = np.spacing(np.abs(np.asarray(value, np.float32))).astype(np.float64) / 2
    return np.where(np.isfinite(spacing), spacing, 0.0)


def _again(storage, node, thunk):
    """Run a node once more, into fresh arrays."""
    for each in node.outputs:
        storage[each][0] = None
    thunk()


def _with(storage, node, thunk, change):
    """What a node's first output would be if its operands of floats were others."""
    cells = [storage[each] for each in [*node.inputs, *node.outputs]]
    own = [cell[0] for cell in cells]
    for cell, value in zip(cells[: len(node.inputs)], own, strict=False):
        if _is_float(value):
            cell[0] = np.asarray(change(value), value.dtype)
    _again(storage, node, thunk)
    made = np.array(storage[node.outputs[0]][0])
    for cell, value in zip(cells, own, strict=True):
        cell[0] = value
    return made


def _noises(storage, node, thunk):
    """The standard deviation of each output's noise, or "operands"."""
    op, outputs = node.op, [storage[each][0] for each in node.outputs]
    if isinstance(op, _MOVE) or not any(map(_is_float, outputs)):
        return ()
    operands, y = [storage[each][0] for each in node.inputs], outputs[0]
    if isinstance(op, elemwise.Elemwise):
        return _of_function(op.scalar_op, operands, y)
    if isinstance(op, elemwise.CAReduce) and isinstance(op.scalar_op, _CHOOSE):
        return ()
    if isinstance(op, _SUM) and getattr(op, "mode", "add") != "mul":
        terms, squares = (
            _with(storage, node, thunk, change) for change in (np.ones_like, np.square)
        )
        return (_of_sum(y, squares, terms),)
    if isinstance(op, pool.Pool):
        if op.mode == "max":
            return ()
        n = float(np.prod(operands[1]))
        if op.mode == "sum":
            return (_of_sum(y, _with(storage, node, thunk, np.square), n),)
        # a window at a padded edge has fewer terms, of which each weighs more
        share = min(1.0, (1 if not np.any(operands[3]) else 2 ** np.size(operands[3])) / n)
        squares = share * _with(storage, node, thunk, np.square)
        return (np.hypot(_of_sum(y, squares, n), _half_ulp(y) * UNIFORM),)
    if isinstance(op, _ADD_AT):
        if op.set_instead_of_inc:
            return ()
        return (np.hypot(_half_ulp(y), _half_ulp(operands[0])) * UNIFORM,)
    if isinstance(op, (nnet.Softmax, nnet.LogSoftmax)):
        x = operands[0]
        rows = np.abs(x - x.max(axis=-1, keepdims=True)) + LIBRARY + np.sqrt(x.shape[-1])
        return (U * UNIFORM * rows * (np.abs(y) if isinstance(op, nnet.Softmax) else 1),)
    return "operands"


def _of_sum(total, squares, terms):
    """0.425 u sqrt(V): one accumulator, in the mean over all orders. Nothing for a single term."""
    square = np.square(total)
    variance = terms * square / 3 + terms * squares / 6 + squares + square
    return ONE * U * np.sqrt(np.maximum(variance, 0))


def _of_function(function, operands, y):
    """Of an element-wise function."""
    if isinstance(function, _CHOOSE):
        return ()
    if isinstance(function, _ONCE):
        return (_half_ulp(y) * UNIFORM,)
    if isinstance(function, (scalar.Add, scalar.Sub)):
        squares = np.square(_half_ulp(y))
        for operand in operands:
            squares = squares + np.square(_half_ulp(operand))
        return (np.sqrt(squares) * UNIFORM,)
    if isinstance(function, scalar.Composite) or not isinstance(
        function, (scalar.UnaryScalarOp, scalar.Pow, scalar.ArcTan2)
    ):
        return "operands"
    size = np.abs(y)
    if isinstance(function, sigm.ScalarSigmoid):
        size = size * (1 + 2 * (1 - size))
    return (LIBRARY * U * UNIFORM * size,)
