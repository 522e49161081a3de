"""What the port's modules call the things that they pass around."""

from collections.abc import Callable, Mapping
from typing import Any

import chainer
import numpy as np

Array = np.ndarray | chainer.Variable
Config = Mapping[str, Any]  # a layer's settings, as Keras says them
Arrays = Mapping[str, np.ndarray]  # Keras's suffix -> array
Maker = Callable[[Config, Arrays, str], chainer.Link]  # and the Keras release
