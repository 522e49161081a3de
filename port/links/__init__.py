"""Keras's layers as Chainer links, a module per class. They run on a CPU, in float32 or float64.

A link with parameters has `keras_arrays()`: {Keras's suffix: writeable view in Keras's layout}, in
the order of Keras's weight_names.
"""
