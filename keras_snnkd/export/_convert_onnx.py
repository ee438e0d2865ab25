"""From SavedModels to `.onnx` files. Run as a script in a process of its own, which may crash: it imports TensorFlow and nothing of ours.

python -P _convert_onnx.py '[{"folder": ..., "endpoint": "serve", "output": ...}, ...]'
"""

import json
import sys

OPSET = 18
"""Version of ONNX' operators, of December 2022."""


def convert(folder: str, endpoint: str, output: str) -> None:
    """One `.onnx` file of one endpoint, for any batch size.

    Args:
        folder: SavedModel.
        endpoint: Name of its signature.
        output: The file.
    """
    import onnx
    import tf2onnx.convert

    arguments = {"--saved-model": folder, "--tag": "serve", "--signature_def": endpoint, "--opset": str(OPSET), "--output": output}
    before, sys.argv = sys.argv, ["tf2onnx", *(word for pair in arguments.items() for word in pair)]
    try:
        tf2onnx.convert.main()
    finally:
        sys.argv = before
    model = onnx.load(output)
    used = {node.domain for node in model.graph.node}
    for entry in [entry for entry in model.opset_import if entry.domain not in used]:  # it lists ai.onnx.ml always
        model.opset_import.remove(entry)
    for tensor in (*model.graph.input, *model.graph.output):
        tensor.type.tensor_type.shape.dim[0].dim_param = "batch"
    onnx.save(model, output)


if __name__ == "__main__":
    for job in json.loads(sys.argv[1]):
        convert(**job)
