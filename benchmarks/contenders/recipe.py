"""The whole recipe: augmented CIFAR-10, a shipped teacher and a student that learns from it, from the images in memory to the step.

The teacher is the shipped ANN, 48 - pool - 96 - 96 - pool - 192 - 192 - pool - 192; the student has the convolutions of CIFAR-10's
default, 24 - pool - 48 - pool - 96 - pool, with T = 4. Both sides flip and crop (shift by up to 4 pixels) each image anew, take batches of
128, and add `0.9 tau^2 KL` of softened logits to the cross-entropy. Images come from a file that `write_images` makes of the data set.
"""

import dataclasses
import os
from pathlib import Path

from benchmarks import network
from benchmarks.contenders import Contender, UnavailableError, ours, peers

BATCH, STEPS = 128, 25
"""Images a step, and steps of one `fit`, which are an epoch."""

TEACHER = (48, "pool", 96, 96, "pool", 192, 192, "pool", 192)
STUDENT = (24, "pool", 48, "pool", 96, "pool")
SHIFT = 4
IMAGES = "images.npz"


def write_images(folder: str) -> Contender:
    """Writes as many training images as an epoch has; nothing to be timed."""
    import numpy as np

    images, labels = _cifar10(ours._import()).train_arrays
    np.savez(Path(folder, IMAGES), images=images, labels=labels)
    return Contender(lambda: None)


def distilled(folder: str, cached: bool = False, gradient: str = "bptt") -> Contender:
    """`fit` of a `Distiller`, whose teacher answers anew for each image, or once for each of two views of it."""
    kd = ours._import()
    data = _cifar10(kd, views=2 if cached else None)
    teacher = kd.models.load("cifar10_teacher")
    student = kd.models.ConvNet(data.image_shape, data.num_classes, widths=STUDENT, head="average", timesteps=network.TIMESTEPS)
    objectives = [kd.objectives.SoftTargets(temperature=network.TEMPERATURE, weight=network.SOFT_WEIGHT)]
    distiller = kd.Distiller(student, teacher, objectives, gradient=gradient)
    ours._compile(distiller)
    batches = data.training()
    if cached:
        batches = kd.TeacherCache(teacher, data, distiller.teacher_taps, Path(folder, "cache")).training()
    return Contender(lambda: distiller.fit(batches, steps_per_epoch=STEPS, verbose=0), ours._facts(student), repeats=STEPS)


def peer(library: str, folder: str, settings: tuple[str, ...] = peers.TRAINING_SETTINGS) -> Contender:
    """The same in PyTorch and `library`, in the fastest of `settings`. Batches are flipped and cropped as a whole, not image by image."""
    torch = peers._torch()
    import numpy as np

    arrays = np.load(Path(folder, IMAGES))
    images, labels = torch.from_numpy(arrays["images"]).movedim(-1, 1).contiguous(), torch.from_numpy(arrays["labels"]).long()
    functional = torch.nn.functional

    def augmented(chosen):
        batch = functional.pad(images[chosen].float() / 255, [SHIFT] * 4)
        batch = torch.where(torch.rand(len(chosen), 1, 1, 1) < 0.5, batch.flip(-1), batch)
        rows, columns = (torch.randint(2 * SHIFT + 1, (len(chosen), 1)) + torch.arange(network.SIZE) for _ in range(2))
        places = torch.arange(len(chosen))[:, None, None]
        return batch.movedim(1, -1)[places, rows[:, :, None], columns[:, None, :]].movedim(-1, 1)

    def prepare(setting):
        teacher, student = peers.conv4("relu", TEACHER, 1).eval(), peers.conv4(library, STUDENT)
        plain = setting == "plain"
        if not plain:
            teacher, student = (net.to(memory_format=torch.channels_last) for net in (teacher, student))
        teach, run = (torch.compile(net) if setting == "compiled" else net for net in (teacher, student))
        optimizer = peers._optimizer(student.parameters())

        def step():
            for chosen in torch.randperm(len(images)).split(BATCH):
                batch = augmented(chosen).contiguous(memory_format=torch.contiguous_format if plain else torch.channels_last)
                student.forget()
                with torch.no_grad():
                    targets = teach(batch)[0]
                answers = run(batch)[0]
                soft = functional.kl_div(
                    functional.log_softmax(answers / network.TEMPERATURE, -1),
                    functional.softmax(targets / network.TEMPERATURE, -1),
                    reduction="batchmean",
                )
                loss = functional.cross_entropy(answers, labels[chosen]) + network.SOFT_WEIGHT * network.TEMPERATURE**2 * soft
                peers._descend(optimizer, loss)

        return step, student

    found = peers.fastest(prepare, settings)
    return Contender(found.step, found.facts, repeats=STEPS)


def _cifar10(kd, views=None):
    """CIFAR-10 with as many training images as an epoch takes."""
    if not Path(os.environ.get("TFDS_DATA_DIR", "."), "cifar10").is_dir():
        raise UnavailableError("needs CIFAR-10 as prepared by TensorFlow Datasets; set TFDS_DATA_DIR to the folder that holds it")
    data = kd.data.load("cifar10", batch_size=BATCH, augment="flip+crop", limit=2 * STEPS * BATCH, views=views)
    images, labels = data.train_arrays
    return dataclasses.replace(data, train_arrays=(images[: STEPS * BATCH], labels[: STEPS * BATCH]))
