"""The arithmetic: differentiable Chainer functions whose forward pass is fast on a CPU."""
