"""GRU, batch normalisation and convolution looked into; `examining` puts it together, `command` is
the command line.
"""
