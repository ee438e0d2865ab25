"""Write the files of this version, which every later version has to read: `python -m tests.compatibility.write`, before a release.

They go to `tests/compatibility/<version>`, or to the folder that is given, and are committed and never written again. A folder that is
there already is refused.
"""

import os
import shutil
import sys
from pathlib import Path

import keras
import numpy as np

import keras_snnkd as kd
from keras_snnkd.run.finished.card import save_card
from tests.integration import tiny

HERE = Path(__file__).parent

NEURONS = ("LIF", "IF", "PLIF", "ALIF", "LeakyIntegrator", "AdLIF", "RLIF", "RadLIF")
CELLS = ("LIFCell", "IFCell", "PLIFCell", "ALIFCell", "LeakyIntegratorCell", "AdLIFCell", "RLIFCell", "RadLIFCell")
SURROGATES = kd.surrogates.names()
RUN = ["--mode", "distill", *tiny.TINY, "--seed", "3", "--teacher-epochs", "10"]  # less, and the teacher knows too little to teach
CARD = {
    "title": "A card",
    "versions": {"keras": "3.15.1"},
    "dataset": {"name": "digits", "source": "digits", "image_shape": [8, 8, 1], "num_classes": 10, "test": 359},
    "model": {"name": "student", "label": "student", "accuracy": 0.5, "parameters": 1000, "timesteps": 2},
    "targets": [{"target": "float32", "label": "LiteRT float32", "state": "left out", "reason": "A reason."}],
}
CACHED = ("logits", "neurons")


def neurons() -> keras.Model:
    """Every neuron and cell once, one after the other, `[B, 3, 6] -> [B, 4]`."""
    x = image = keras.Input((3, 6), name="frames")
    for index, name in enumerate(NEURONS):
        x = kd.layers.OverTime(keras.layers.Dense(6, name=f"dense{index}"))(x)
        x = getattr(kd.neurons, name)(name=f"neuron_{name.lower()}")(x)
    for name in CELLS:
        x = keras.layers.RNN(getattr(kd.neurons, name)(6), return_sequences=True, name=f"rnn_{name.lower()}")(x) + image
    for index, name in enumerate(SURROGATES):
        x = kd.neurons.LIF(surrogate=name, threshold=0.5, name=f"surrogate{index}")(x) + image
    return keras.Model(image, kd.layers.MeanOverTime(name="readout")(x), name="neurons")


def networks() -> dict[str, keras.Model]:
    """Small models of all kinds, by the names of their files."""
    images = np.random.default_rng(5).random((16, 8, 8, 1), "float32")
    convnet = kd.models.ConvNet((8, 8, 1), 10, widths=(4, "pool", 6), timesteps=3, name="convnet")
    return {
        "neurons": neurons(),
        "convnet": convnet,
        "resnet": kd.models.ResNet((8, 8, 1), 10, widths=(4,), blocks=(1,), timesteps=2, name="resnet"),
        "ann": kd.models.MLP((8, 8, 1), 10, widths=(6,), neuron="relu", name="ann"),
        "latency": kd.models.MLP((8, 8, 1), 10, widths=(6,), timesteps=2, encoder="latency", readout="membrane", name="latency"),
        "integers": kd.models.quantize_aware(convnet, images),
        "series": kd.models.SequenceNet((12, 3), 5, widths=(6,), neuron="radlif", kernel=3, padded=True, name="series"),
        "frames": kd.models.ConvNet((6, 8, 8, 2), 10, widths=(4,), timesteps=2, name="frames"),
        "text": kd.models.SpikingTransformer(6, 40, 2, width=8, depth=1, heads=2, timesteps=2, name="text"),
    }


def inputs(model: keras.Model) -> np.ndarray:
    """What a model is asked: the same numbers for the same shape."""
    random, shape = np.random.default_rng(7), (8, *model.input_shape[1:])
    if keras.backend.is_int_dtype(model.inputs[0].dtype):
        return random.integers(0, 40, shape, "int32")  # ids of words
    return random.random(shape, "float32")


def distiller() -> kd.Distiller:
    """One with objectives of each family, which hold weights of their own."""
    teacher = kd.models.MLP((8, 8, 1), 10, widths=(8,), timesteps=2, name="teacher")
    student = kd.models.MLP((8, 8, 1), 10, widths=(6,), timesteps=2, name="student")
    return kd.Distiller(student, teacher, ["soft_targets", "spike_train", "feature_map", "membrane", "exits", "step_entropy"])


def cached(teacher: keras.Model, folder: Path) -> kd.TeacherCache:
    """The cache of a teacher on a few digits."""
    return kd.TeacherCache(teacher, kd.data.load("digits", limit=60, batch_size=20), CACHED, folder)


def main(folder: Path) -> None:
    """Write the folder."""
    if folder.exists():
        sys.exit(f"{folder} is there already, and what a version wrote stays as it is")
    folder.mkdir(parents=True)
    keras.utils.set_random_seed(1)
    answers = {}
    for name, model in networks().items():
        model.save(folder / f"{name}.keras")
        answers[name] = keras.ops.convert_to_numpy(model(inputs(model)))
    np.savez_compressed(folder / "answers.npz", **answers)
    distiller().save(folder / "distiller.keras")
    save_card(CARD, folder)
    (folder / "card.html").unlink()
    kd.Recipe(mode="multistage", objectives=["hinton"], timesteps=2, student="mlp:12").save(folder / "recipe.json")
    cached(keras.saving.load_model(folder / "convnet.keras"), folder / "cache").build()
    kd.export.export_all = tiny.fake_export  # what exporters write is no Keras file, and is not read again
    os.chdir(folder)  # so that no path of this machine is written
    status = tiny.run(*RUN, "--out", "run", "--saved-models", "shelf")
    if status:
        shutil.rmtree(folder)
        sys.exit("the run failed, and nothing is written")
    for large in (folder / "shelf", folder / "run" / "export", folder / "run" / "logs", folder / "run" / "report.html"):
        shutil.rmtree(large) if large.is_dir() else large.unlink(missing_ok=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve() if sys.argv[1:] else HERE / kd.__version__)
