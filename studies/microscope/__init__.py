"""Looks into GRU, batch normalisation and convolution, and measures what stock Chainer costs."""
