"""The same networks as ONNX graphs, a group of nodes for each layer of Keras.

A layer's output has the layer's own name, and what belongs to it begins with that and a colon:
`conv1`, `conv1:W`, `conv1:sums`. Needs onnx and numpy.
"""
