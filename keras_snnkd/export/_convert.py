"""From SavedModels to `.tflite` files. Run as a script in a process of its own, which may crash: it imports TensorFlow and nothing of ours.

python -P _convert.py '[{"folder": ..., "endpoint": "serve", "quantize": "float32", "output": ...}, ...]'
"""

import json
import sys
from pathlib import Path


def convert(folder: str, endpoint: str, quantize: str) -> bytes:
    """One `.tflite` file of one endpoint, of LiteRT's built-in operators alone.

    Args:
        folder: SavedModel.
        endpoint: Name of its signature.
        quantize: `"float32"`, or `"dynamic"` for int8 weights of 1,024 elements and more.
    """
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=[endpoint])
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    if quantize == "dynamic":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    return converter.convert()


if __name__ == "__main__":
    for job in json.loads(sys.argv[1]):
        output = job.pop("output")
        Path(output).write_bytes(convert(**job))
