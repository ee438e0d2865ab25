"""A student on its device: runs `.tflite` files with numpy and ai-edge-litert alone, without TensorFlow or Keras."""

from keras_snnkd.edge.contents import Contents, read_contents
from keras_snnkd.edge.runner import Answer, Runner
from keras_snnkd.edge.variants import Variants

__all__ = ["Answer", "Contents", "Runner", "Variants", "read_contents"]
