"""Keras's layers as Chainer links. They run on a CPU, in float32 or float64."""
