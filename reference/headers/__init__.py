"""The headers that all of Theano's C modules begin with, compiled once."""
