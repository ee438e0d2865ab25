"""The distiller: a model that trains a student by labels and by what a teacher does."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_snnkd import graphs
from keras_snnkd._public import public
from keras_snnkd._types import Tensor
from keras_snnkd.distill import teachers
from keras_snnkd.distill.batches import OWN, brings, inputs_of, masks_of, pick, teachers_inputs
from keras_snnkd.distill.fit_data import check_fit
from keras_snnkd.distill.gradient import choose
from keras_snnkd.distill.label_loss import check_label_loss
from keras_snnkd.distill.naming import named
from keras_snnkd.distill.objective import Objective, check_positive, counting, taps_of
from keras_snnkd.distill.objectives import views
from keras_snnkd.distill.objectives.coached import Coached
from keras_snnkd.distill.pair import check_pair, is_itself
from keras_snnkd.distill.samples import Samples, samples_of
from keras_snnkd.distill.taps import OUTPUT, TEACHER, TEACHER_INPUTS, TapModel
from keras_snnkd.errors import KDError, ShapeError, unknown_name
from keras_snnkd.keras_internals import Distributed, all_layers
from keras_snnkd.training import strategy

INPUT_KINDS = ("shared", "named", OWN)

LABEL = "label"
"""The name of the label loss's weight."""


@public
class Distiller(Distributed):
    """Train a student by labels and by distillation from a teacher.

    In each training step the teacher runs once, outside the gradient tape and in inference mode, and the student once; the teacher does
    not run where the batches bring its taps, `({"inputs": x, "teacher": {tap: array}}, y)`, see `TeacherCache`. With the loss
    given to `compile` as L_label and the objectives as L_i::

        loss = label_weight L_label + sum over i of weight_i L_i + L_own

    with the student's regularizers and what else its layers add as L_own, which no weight scales. L_label + L_own, as everywhere in Keras,
    is the loss that `evaluate` and validation report.
    Gradients flow to the student and to the objectives' own helpers (projections). `evaluate` and `predict` run the student alone.
    Sample and class weights count in the label loss and in the objectives alike. The teacher is held outside Keras' tracking: weights
    and files of the distiller hold the student (and helpers), never the teacher. Without teacher and objectives it trains the student
    alone, so that both arms of a comparison run the same code.

    Args:
        student: A built model with logits `[B, C]` as its output. It is trained in place. One that ends in a softmax is distilled on the
            logits before it, and takes a label loss on probabilities.
        teacher: A built model with as many classes, spiking or not, of any T. It is not changed.
        objectives: `Objective`s, names, mappings (see `keras_snnkd.objectives.get`), or Keras' `DistillationLoss`es.
        label_weight: Factor of the label loss, at least 0.
        teacher_outputs: `"logits"`, `"probabilities"`, or `"auto"`: what the teacher's last activation and its outputs on real images tell.
        teacher_scale: Of the images that the teacher was trained on; `"auto"` for the one on which it is right most often, where that is
            clear, `None` for that of the student; see `adapt_teacher`. Outputs and scale are looked at by `meet`, which `fit` calls with
            validation images.
        inputs: What each network sees of a batch. `"shared"`: both see all of it; `"named"`: a batch is a mapping of inputs, and each
            network takes those of the names of its own input layers, such as `{"image": ..., "events": ...}` for a teacher that sees
            images and a student that sees events; `"own"`: the same for networks whose input layers share a name, or have none: batches
            `({"inputs": x, "teacher_inputs": z}, y)` of what the student and what the teacher sees. With the latter two the teacher is
            not looked at by `meet`.
        gradient: `"bptt"`: backpropagation through time; `"rate"`: rate-based backpropagation (Yu et al., NeurIPS 2024,
            arXiv:2410.11488), half the time and less memory, for objectives that read means over time; `"auto"`: the latter where it can
            be had for images coded by rates. `self.gradient` says which it is, `self.gradient_reason` why `"auto"` took it.

    Raises:
        ShapeError: If teacher and student take other inputs, have other classes, or an objective's taps do not fit.
        UnknownNameError: If an objective names a tap that is not there; the taps are listed.
        KindError: For what is no model or no list of objectives.
        ValueError: For objectives without a teacher, a student that is its own teacher, or a gradient that an objective cannot have.

    Example:
        >>> distiller = kd.Distiller(student, teacher, objectives=[kd.objectives.SoftTargets(temperature=4.0)])
        >>> distiller.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
        >>> distiller.fit(data.train, validation_data=data.validation, epochs=20)
        >>> student.save("student.keras")
    """

    def __init__(
        self,
        student: keras.Model,
        teacher: keras.Model | None = None,
        objectives: Sequence[Objective | str | dict[str, Any]] = (),
        label_weight: float = 1.0,
        teacher_outputs: str = "auto",
        teacher_scale: str | Sequence[float] | None = "auto",
        gradient: str = "bptt",
        inputs: str = "shared",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if inputs not in INPUT_KINDS:
            raise unknown_name("kind of inputs", inputs, INPUT_KINDS)
        self.inputs_kind = inputs
        graphs.check_built(student, "the student")
        self.teacher_outputs, self.teacher_scale = teacher_outputs, teacher_scale
        self.objectives = named(objectives)
        needs = [objective.name for objective in self.objectives if objective.uses_teacher and objective.built_shapes is None]
        if teacher is None and needs:
            raise ValueError(f"{', '.join(needs)} need a teacher; give one, or leave the objectives out to train the student alone")
        self.student = student
        for objective in self.objectives:
            objective.prepare(student)
        student_taps = [tap for objective in self.objectives for tap in taps_of(objective.student_tap)]
        self._student_taps = TapModel(student, student_taps, named=inputs == "named")
        self._teacher = _Untracked(None, None)
        self._met, self._late = True, False
        if teacher is not None:
            self.teach(teacher)
        for objective in self.objectives:
            if objective.built_shapes is None:
                objective.build(None, self._student_taps.shape(objective.student_tap))
                objective.connect(None, student)
        self.reads_views = any(objective.reads_views for objective in self.objectives)
        if self.reads_views:
            views.check_square(student.name, self._student_taps.input_shape)
        self.gradient, self.gradient_reason = choose(gradient, student, self.objectives)
        self.helpers = [helper for objective in self.objectives for helper in objective.helpers]
        self.label_weight = self._factor("label_weight", check_positive(self, "label_weight", label_weight, or_zero=True))
        self.objective_weights = {o.name: self._factor(f"{o.name}_weight", o.weight) for o in self.objectives}
        for objective in self.objectives:
            if isinstance(objective, Coached):
                objective.pace = self._factor(f"{objective.name}_pace", objective.start)
        self.objective_metrics = [keras.metrics.Mean(name=objective.name) for objective in self.objectives]
        self.meters = {name: keras.metrics.Mean(name=name) for objective in self.objectives for name in objective.measured}
        self.built = True

    def _factor(self, name: str, value: float) -> keras.Variable:
        return self.add_weight(
            shape=(), initializer=keras.initializers.Constant(value), trainable=False, dtype="float32", autocast=False, name=name
        )

    @property
    def teacher(self) -> keras.Model | None:
        """The teacher, as it teaches: a model that gives logits."""
        return self._teacher.taps and self._teacher.taps.model

    @property
    def teacher_taps(self) -> list[str]:
        """The taps of the teacher that the objectives read."""
        return sorted({tap for objective in self.objectives for tap in taps_of(objective.teacher_tap)})

    def teach(self, teacher: keras.Model) -> None:
        """Set the teacher, of a distiller loaded from a file for instance, which comes without one.

        Raises:
            ShapeError: If an objective's taps do not fit the student's.
        """
        scale = "auto" if self.teacher_scale == "standardized" else self.teacher_scale  # of images that are not here yet
        self._teach(teacher, teachers.adapted(teacher, self._outputs_of_teacher, scale).model)
        self._met, self._late = False, False

    @property
    def _outputs_of_teacher(self) -> str:
        """What the teacher gives: numbers, where nothing else is said and the student gives them."""
        numbers = self.teacher_outputs == "auto" and (self._student_taps.shapes[OUTPUT][-1] == 1 or graphs.gives_numbers(self.student))
        return "numbers" if numbers else self.teacher_outputs

    def meet(self, images: Any, labels: Any = None, trained_here: bool = False) -> None:
        """Look at the teacher on real images: take its outputs and the scale of its images for what they are.

        `fit` does it with its validation data, or with its arrays. A teacher that is the student itself is passed over.

        Args:
            images: As the student gets them, `[N, ...]`; some hundred.
            labels: Class numbers `[N]`, one-hot `[N, C]`, or numbers of a regression or a dense map `[N, ...]`.
                Without them its scale and its accuracy are not looked at.
            trained_here: Whether the same run has trained the teacher, and its accuracy is known; it is not judged then.

        Raises:
            TeacherError: If the teacher is hardly more often right than guessing.
        """
        if self.teacher is not None and not self._met and not is_itself(self.student, self.teacher):
            samples = Samples(images, None if labels is None else np.asarray(labels))
            given: Any = self._teacher.given
            found = teachers.adapted(given, self._outputs_of_teacher, self.teacher_scale, samples=samples)
            if not trained_here:
                teachers.judge(given.name, found, samples)
            if found.changes:
                teachers.tell(given, found.changes)
                self._teach(given, found.model)
        self._met = True

    def fit(self, x: Any = None, y: Any = None, *, validation_data: Any = None, **kwargs: Any) -> keras.callbacks.History:
        """Keras' `fit`, once the teacher has been looked at on real images, see `meet`, and the labels are those of its classes."""
        check_fit(self.student, x, y)
        if self.teacher is not None and not self._met:
            samples = samples_of(validation_data) or (samples_of((x, y)) if y is not None else None)
            if samples is not None:
                before = self.teacher
                self.meet(samples.images, samples.labels)
                self._late = self.teacher is not before
        return super().fit(x, y, validation_data=validation_data, **kwargs)

    def _teach(self, given: Any, teacher: keras.Model) -> None:
        """Have `teacher` teach, which is what was made of the one that was given."""
        taps = TapModel(teacher, self.teacher_taps, named=self.inputs_kind == "named")
        check_pair(self._student_taps, taps, self.inputs_kind == OWN)
        for objective in self.objectives:
            if not objective.uses_teacher:
                continue
            shapes = taps.shape(objective.teacher_tap), self._student_taps.shape(objective.student_tap)
            if objective.built_shapes is None:
                objective.build(*shapes)
                objective.connect(teacher, self.student)
            elif objective.built_shapes != shapes:
                raise ShapeError(f"{objective.name} was built for taps {objective.built_shapes}, this teacher gives {shapes}")
        self._teacher = _Untracked(taps, given)
        random = [layer for layer in [teacher, *all_layers(teacher)] if hasattr(layer, "seed_generator")]
        self._teacher_seeds = [layer.seed_generator for layer in random]  # tracked: JAX would draw the same numbers in every step
        self.train_function = None  # a traced one would keep the teacher before

    def __dir__(self) -> list[str]:
        return [name for name in super().__dir__() if name != "teacher"]  # Keras' writers save every model they find by dir()

    def compile(self, optimizer: Any = "adam", loss: Any = None, *, jit_compile: bool | str | None = None, **kwargs: Any) -> None:
        """Keras' `compile`. On TensorFlow `jit_compile` is off by default: neurons compile themselves, and CPUs are faster without.

        Raises:
            LossError: For a label loss on probabilities, such as `"sparse_categorical_crossentropy"`, of a student that gives logits, or
                the other way round.
        """
        if jit_compile is None:
            jit_compile = False if _on_tensorflow() else "auto"
        check_label_loss(loss, self.student)
        super().compile(optimizer=optimizer, loss=loss, jit_compile=jit_compile, **kwargs)
        self.optimizer.build(self.trainable_variables)

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compile with the settings of a saved distiller, but for `jit_compile`: files go from one backend to another."""
        self.compile(**{**keras.saving.deserialize_keras_object(config), "jit_compile": None})

    def call(self, inputs: Tensor, training: bool = False) -> Any:
        """The student's logits; in training the taps of teacher and student, from which `compute_loss` makes the loss."""
        if training:
            shown = self._shown(inputs)
            return self._studied(shown, self._taught(shown))
        return self.student(self.for_student(inputs), training=False)

    def _shown(self, x: Tensor) -> Tensor:
        """What both networks see of a batch in training: its images, or all views of them where an objective reads these."""
        if not self.reads_views:
            return x
        if brings(x, TEACHER) or brings(x, TEACHER_INPUTS):
            names = [objective.name for objective in self.objectives if objective.reads_views]
            raise KDError(
                f"the batches bring something of the teacher's, and {', '.join(names)} needs that of turned images; train without a cache"
            )
        return views.turned(x)

    def _studied(self, shown: Tensor, teacher: dict[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """The taps of both networks, given those of the teacher."""
        student = self._student_taps(inputs_of(shown), training=True, gradient=self.gradient)
        return (views.told_apart(teacher), views.told_apart(student)) if self.reads_views else (teacher, student)

    def for_student(self, x: Tensor) -> Tensor:
        """What the student takes of a batch's inputs."""
        return self._student_taps.given(inputs_of(x))

    def _taught(self, x: Tensor) -> dict[str, Tensor]:
        """The teacher's taps: those that come with the batch (see `TeacherCache`), or what the teacher does now."""
        if not self.teacher_taps:
            return {}
        if brings(x, TEACHER):
            if self._late:
                raise KDError(
                    "the batches bring the taps of the teacher as it was given, and its images or outputs had to be adapted; let it meet "
                    "real images first, distiller.meet(images, labels), and cache distiller.teacher"
                )
            missing = [tap for tap in self.teacher_taps if tap not in x[TEACHER]]
            if missing:
                raise KDError(
                    f"the batches bring the teacher's taps {', '.join(x[TEACHER])}, and the objectives read {', '.join(missing)} too; "
                    "cache all of distiller.teacher_taps"
                )
            return x[TEACHER]
        if self._teacher.taps is None:
            raise ValueError("the distiller has objectives but no teacher; give it one with distiller.teach(teacher)")
        return self._teacher.taps(teachers_inputs(x, self.inputs_kind == OWN), training=False)

    def train_step(self, *arguments: Any) -> Any:
        """One step on a batch `(x, y[, sample_weight])`; returns the metrics. Other backends than TensorFlow take Keras' own step."""
        if not _on_tensorflow():
            return super().train_step(*arguments)
        import tensorflow as tf

        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(*arguments)
        shown = self._shown(x)
        teacher = self._taught(shown)
        with tf.GradientTape() as tape:
            taps = self._studied(shown, teacher)
            loss = self.compute_loss(x, y, taps, sample_weight, training=True)
            scaled = self.optimizer.scale_loss(loss)
        self.optimizer.apply(tape.gradient(scaled, self.trainable_variables), self.trainable_variables)
        tracker = next(metric for metric in self.metrics if metric.name == "loss")
        tracker.update_state(loss * strategy.replicas(), sample_weight=ops.shape(y)[0])
        return self.compute_metrics(x, y, taps, sample_weight=sample_weight)

    def compute_loss(
        self,
        x: Tensor | None = None,
        y: Tensor | None = None,
        y_pred: Tensor | None = None,
        sample_weight: Tensor | None = None,
        training: bool = True,
    ) -> Tensor:
        """The loss of the taps that `call` returns in training; with `training=False` the label loss of the student's outputs.

        Raises:
            ValueError: For the student's outputs alone in training, where the objectives would be left out.
        """
        if not isinstance(y_pred, tuple):
            if training and self.objectives:
                raise ValueError(
                    f"compute_loss got the student's outputs alone, from which {', '.join(self.objective_weights)} cannot be computed; "
                    "give what distiller(x, training=True) returns, distiller.compute_loss(x, y, distiller(x, training=True)), or "
                    "training=False for the label loss alone"
                )
            return super().compute_loss(x, y, y_pred, sample_weight, training=training)
        teacher, student = y_pred
        replicas = strategy.replicas()
        own = ops.sum([ops.sum(loss) for loss in self.losses]) / replicas if self.losses else 0.0  # which Keras adds to the label loss
        loss = self.label_weight * (super().compute_loss(x, y, student[OUTPUT], sample_weight, training=training) - own) + own
        for objective, metric in zip(self.objectives, self.objective_metrics, strict=True):
            of = views.pick if objective.reads_views else pick
            outputs = of(teacher, objective.teacher_tap), of(student, objective.student_tap)
            masks = masks_of(objective, teacher, student)
            value = objective.compute_loss(outputs[0], outputs[1], y_true=y, sample_weight=sample_weight, **masks)
            value = value * replicas if objective.divided_by_replicas else value
            metric.update_state(value, sample_weight=ops.shape(y)[0])
            with counting(masks.get("masks", ())):
                measures = objective.measures(outputs[1])
            for name, measure in measures.items():
                self.meters[name].update_state(measure, sample_weight=ops.shape(y)[0])
            loss += self.objective_weights[objective.name] * value / replicas  # as Keras divides its own losses
        return loss

    def compute_metrics(self, x: Tensor, y: Tensor, y_pred: Tensor, sample_weight: Tensor | None = None) -> dict[str, Tensor]:
        """All metrics, for the taps of a training step; for logits, those of the student alone."""
        if isinstance(y_pred, tuple):
            return strategy.reducible(super().compute_metrics(x, y, y_pred[1][OUTPUT], sample_weight))
        logs = super().compute_metrics(x, y, y_pred, sample_weight)
        return strategy.reducible({name: value for name, value in logs.items() if name not in {*self.objective_weights, *self.meters}})

    def set_weight(self, name: str, value: float) -> None:
        """Change a factor of the loss, also between epochs; nothing is traced again.

        Args:
            name: Of an objective, or `"label"`.
            value: The new weight, at least 0.

        Raises:
            UnknownNameError: If there is no such objective.
            ValueError: If the value is below 0.
        """
        value = check_positive(self, f"weight of {name}", float(value), or_zero=True)
        if name == LABEL:
            self.label_weight.assign(value)
        elif name in self.objective_weights:
            self.objective_weights[name].assign(value)
        else:
            raise unknown_name("objective of this distiller", name, [LABEL, *self.objective_weights])

    def describe(self) -> str:
        """The total loss as one line, such as `1 label + 0.9 soft_targets(logits -> logits)`."""
        terms = [f"{float(self.label_weight.numpy()):g} label"]
        for o in self.objectives:
            taps = " -> ".join("+".join(taps_of(tap)) for tap in (o.teacher_tap, o.student_tap) if tap)
            terms.append(f"{float(self.objective_weights[o.name].numpy()):g} {o.name}({taps})")
        return " + ".join(terms)

    def get_config(self) -> dict[str, Any]:
        """Student, objectives and weights; not the teacher."""
        serialize = keras.saving.serialize_keras_object
        return {
            "name": self.name,
            "student": serialize(self.student),
            "objectives": [serialize(objective) for objective in self.objectives],
            "shapes": [objective.built_shapes for objective in self.objectives],
            "label_weight": float(self.label_weight.numpy()),
            "teacher_outputs": self.teacher_outputs,
            "teacher_scale": self.teacher_scale,
            **({"inputs": self.inputs_kind} if self.inputs_kind != "shared" else {}),  # absent by default, as in files of earlier versions
            **({"gradient": self.gradient} if self.gradient != "bptt" else {}),  # likewise
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> "Distiller":
        """A distiller without its teacher, which `teach` sets."""
        config = dict(config)
        deserialize = keras.saving.deserialize_keras_object
        student = deserialize(config.pop("student"))
        objectives = [deserialize(objective) for objective in config.pop("objectives")]
        for objective, shapes in zip(objectives, config.pop("shapes"), strict=True):
            if shapes:
                objective.build(*shapes)
        return cls(student, None, objectives, **config)


def _on_tensorflow() -> bool:
    return keras.backend.backend() == "tensorflow"


class _Untracked:
    """Holds the teacher's taps, and the model that was given as the teacher, where Keras does not look for layers."""

    def __init__(self, taps: TapModel | None, given: keras.Model | None) -> None:
        self.taps, self.given = taps, given
