"""From SavedModels to `.tflite` files. Run as a script in a process of its own, which may crash: it imports TensorFlow and nothing of ours.

python -P _convert.py '[{"folder": ..., "endpoint": "serve", "quantize": "float32", "output": ...}, ...]'
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def convert(folder: str, endpoint: str, quantize: str, calibration: str | None = None, io: str = "float32") -> bytes:
    """One `.tflite` file of one endpoint, of LiteRT's built-in operators alone.

    Args:
        folder: SavedModel.
        endpoint: Name of its signature.
        quantize: `"float32"`; `"float16"` for weights of 16 bits; `"dynamic"` for int8 weights of 1,024 elements and more; `"int8"` for
            integers throughout.
        calibration: For `"int8"`, a `.npz` file with `[N, ...]` values of each input, that show the ranges of all tensors; `None` if the
            graph tells them by fake-quantization operators.
        io: `"float32"`, or with `"int8"` also `"int8"`, for inputs and outputs.
    """
    import numpy as np
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=[endpoint])
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    if quantize != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if quantize == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if calibration is not None:
        with np.load(calibration) as file:
            inputs = dict(file)
        count = len(next(iter(inputs.values())))

        def samples() -> Iterator[dict[str, Any]]:
            for place in range(count):
                yield {name: values[place : place + 1] for name, values in inputs.items()}

        converter.representative_dataset = samples
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    if io != "float32":
        converter.inference_input_type = converter.inference_output_type = getattr(tf, io)
    return converter.convert()


if __name__ == "__main__":
    for job in json.loads(sys.argv[1]):
        output = job.pop("output")
        Path(output).write_bytes(convert(**job))
