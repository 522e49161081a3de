"""Keras's classes, each with what writes its nodes: the ONNX side of port/links/keras.py."""

from collections.abc import Callable

from parity.port.onnx import elementwise, images, sequences
from parity.port.onnx.elementwise import Layer, Writer
from parity.port.onnx.graph import Graph, Value, ints


def passed_on(graph: Graph, layer: Layer) -> Value:
    return layer.x


def flatten(graph: Graph, layer: Layer) -> Value:
    return graph("Flatten", layer.x, rank=2, axis=1)


def reshape(graph: Graph, layer: Layer) -> Value:
    shape = layer.config["target_shape"]
    return graph("Reshape", layer.x, ints(0, *shape), rank=len(shape) + 1)


def permute(graph: Graph, layer: Layer) -> Value:
    return graph("Transpose", layer.x, perm=[0, *layer.config["dims"]])


PASSED_ON = (  # at test time
    *("Dropout", "GaussianNoise", "GaussianDropout", "SpatialDropout1D", "SpatialDropout2D"),
    *("SpatialDropout3D", "ActivityRegularization"),
)
WRITERS: dict[str, Writer] = {
    "Activation": elementwise.activation,
    "AveragePooling1D": images.pooling("AveragePool"),
    "AveragePooling2D": images.pooling("AveragePool"),
    "BatchNormalization": elementwise.batch_normalization,
    "Convolution1D": images.convolution,
    "Convolution2D": images.convolution,
    "Cropping1D": images.cropped(steps=True),
    "Cropping2D": images.cropped(steps=False),
    "Dense": elementwise.dense,
    "ELU": elementwise.elu,
    "Embedding": sequences.embedding,
    "Flatten": flatten,
    "GRU": sequences.recurrent("GRU"),
    "GlobalAveragePooling1D": images.global_pooling("ReduceMean", steps=True),
    "GlobalAveragePooling2D": images.global_pooling("ReduceMean", steps=False),
    "GlobalMaxPooling1D": images.global_pooling("ReduceMax", steps=True),
    "GlobalMaxPooling2D": images.global_pooling("ReduceMax", steps=False),
    "LSTM": sequences.recurrent("LSTM"),
    "LeakyReLU": elementwise.leaky_relu,
    "Masking": sequences.masking,
    "MaxPooling1D": images.pooling("MaxPool"),
    "MaxPooling2D": images.pooling("MaxPool"),
    "Merge": elementwise.merge,
    "PReLU": elementwise.p_relu,
    "Permute": permute,
    "RepeatVector": sequences.repeat_vector,
    "Reshape": reshape,
    "SimpleRNN": sequences.recurrent("SimpleRNN"),
    "ThresholdedReLU": elementwise.thresholded_relu,
    "TimeDistributedDense": elementwise.dense,
    "UpSampling1D": images.up_sampling(steps=True),
    "UpSampling2D": images.up_sampling(steps=False),
    "ZeroPadding1D": images.step_padding,
    "ZeroPadding2D": images.zero_padding,
    **dict.fromkeys(PASSED_ON, passed_on),
}
WRITERS["TimeDistributed"] = sequences.time_distributed(WRITERS)
WRITERS["Bidirectional"] = sequences.bidirectional(WRITERS)
# those whose outputs have a mask of their own
MASKS: dict[str, Callable[[Graph, Layer], Value | None]] = {
    "Embedding": sequences.mask_of_ids,
    "Masking": sequences.mask_of_steps,
}
RECURRENT = ("GRU", "LSTM", "SimpleRNN", "Bidirectional")  # they read a mask
