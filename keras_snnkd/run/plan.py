"""From the names in a recipe to the stages that are trained: teachers, assistants and students."""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras

from keras_snnkd import data as datasets
from keras_snnkd import models
from keras_snnkd.distill import methods, objectives
from keras_snnkd.distill.gradient import GRADIENTS
from keras_snnkd.distill.methods import Method
from keras_snnkd.distill.stage import Stage
from keras_snnkd.errors import KDError
from keras_snnkd.files.staging import sha256
from keras_snnkd.run.compressing import stages as compression
from keras_snnkd.run.compressing.finetuning import calibration_images
from keras_snnkd.run.networks import build_for, in_policy, own_network, units
from keras_snnkd.run.recipes.checks import budget_of, has_teacher
from keras_snnkd.run.recipes.modes import Mode
from keras_snnkd.run.recipes.recipe import (
    CONVERTED,
    FROM_SHIPPED,
    IMITATION,
    ITSELF,
    LONGER,
    RATES,
    TAUGHT,
    TWIN,
    ResolvedRecipe,
    is_file,
    teacher_file,
)
from keras_snnkd.teachers import shipped
from keras_snnkd.training.task import CLASSES, UNLABELLED, regression_in

ALONE = "student_alone"
"""The stage of the student that learns from labels alone."""

ALONE_TWIN = "student_alone_twin"
"""The stage of the ANN twin that learns from labels."""

DISTILLED = "student_distilled"
"""The stage of the student that is kept."""

STUDENTS_TWIN = "teacher_twin"
"""The stage of the student's ANN twin as a teacher, in a comparison."""

RIVAL = "student_twin"
"""The stage of the student's ANN twin that learns as the student does, to be compared with it."""


COMPRESSED_RATE = 0.5
"""The learning rate at which a trained student is compressed, in parts of that at which it was trained."""


class Plan:
    """The stages of a recipe, whole or one by one.

    Args:
        recipe: A resolved one.
        data: Its data set.
        trained_teacher: Gives the model of a teacher that is trained already; called where one is needed.
    """

    def __init__(self, recipe: ResolvedRecipe, data: datasets.Data, trained_teacher: Callable[[], keras.Model]) -> None:
        self.recipe, self.data = _with_frames(recipe, data), data
        self._trained_teacher = trained_teacher

    @property
    def task(self) -> Any:
        """What stages are trained for; of numbers, errors count in deviations of the training labels."""
        return regression_in(units(self.data)[0]) if self.data.gives_numbers else CLASSES.name

    def stages(self) -> list[Stage]:
        """Those of the recipe's mode, in order, and then those that make the last student cheaper."""
        found = self._trained()
        return [*found, *self.compressed(found[-1].name, self.recipe.compress)] if self.recipe.compress else found

    def compressed(self, student: str | keras.Model, entries: list[Any], prefix: str = compression.STUDENT) -> list[Stage]:
        """What a trained student goes through: the stages of `compress`, of half the epochs that it had each, at a part of its rate.

        An epoch of its twin counts half.

        Args:
            student: The name of its stage, or the model.
            entries: As `keras_snnkd.run.compressing.stages.read` gives them.
            prefix: Of the stages' names.
        """
        recipe = self.recipe
        settings = {"precision": recipe.precision, "augment": recipe.augment, "data": self.data.fingerprint}
        usual = {
            "epochs": max(1, (recipe.epochs + recipe.twin_epochs // 2) // 2),
            "learning_rate": recipe.learning_rate * COMPRESSED_RATE,
            "optimizer": recipe.optimizer,
            "schedule": recipe.schedule,
            "weight_decay": recipe.weight_decay,
            "gradient": recipe.gradient or GRADIENTS[0],
            "weight_bits": recipe.weight_bits,
            "labels": recipe.labels,
            "class_weights": recipe.class_weights,
            "cache_views": recipe.cache or None,
            "seed": recipe.seed,
            "settings": {**settings, **({"mixup": recipe.mixup} if recipe.mixup else {})},
        }
        return compression.stages(entries, student, calibration_images(self.data), usual, prefix)

    def _trained(self) -> list[Stage]:
        """The stages of the recipe's mode."""
        recipe = self.recipe
        alone = self.in_two_phases(ALONE)
        if recipe.mode == Mode.BASELINE:
            return alone
        method = methods.combine(recipe.objectives, recipe.label_weight)
        if recipe.student_start == LONGER:
            return [*alone, *self.curriculum(method)]
        if not has_teacher(recipe):
            start, arguments = self.start(recipe.student_start, None, recipe.first_objectives)
            return [*alone, *start, *self.rival(method), *self.in_two_phases(DISTILLED, method, **arguments)]
        teacher, stages = self.teacher()
        if recipe.mode == Mode.TEACHER:
            return stages
        start, arguments = self.start(recipe.student_start, teacher, recipe.first_objectives)
        distilled = functools.partial(self.in_two_phases, DISTILLED, method, **arguments)
        rival = self.rival(method, teacher)
        if recipe.mode == Mode.DISTILL:
            return [*stages, *alone, *start, *rival, *distilled(teacher=teacher)]
        above, assistants = self.assistants(method, teacher)
        direct = self.in_two_phases("student_direct", method, teacher=teacher, **arguments)
        return [*stages, *assistants, *alone, *start, *direct, *distilled(teacher=above)]

    def in_two_phases(self, name: str, method: Method | None = None, **more: Any) -> list[Stage]:
        """The student's stage, alone or with a method, and before it that of its ANN twin, if the recipe asks for one."""
        recipe = self.recipe
        stage = functools.partial(self.student, name) if method is None else functools.partial(self.taught, name, method)
        if not recipe.twin_epochs or "start_from" in more:
            return [stage(**more)]
        if "spec" in more and not self._has_twin(more["spec"]):
            return [stage(**more, epochs=recipe.epochs + recipe.twin_epochs)]
        by_rates = self._is_still and recipe.twin_activation == RATES
        spiking = more.get("spec", recipe.student)
        spec = spiking if by_rates else twin_of(spiking)
        twin = functools.partial(self.student, epochs=recipe.twin_epochs, rates=by_rates)
        if method is None:
            return [twin(ALONE_TWIN, spec=spec), stage(**more, start_from=ALONE_TWIN)]
        lessons = self._of_twin(method, more.get("teacher"))
        if not lessons and "spec" not in more:
            return [stage(**more, start_from=ALONE_TWIN)]  # nothing in the method can teach a network without time steps
        if lessons and by_rates and more.get("in_budget", True):  # which count as the spikes that they stand for
            lessons["objectives"] = [*lessons["objectives"], *budget_of(recipe)]
        of_twin = {**more, **(lessons or {"teacher": None}), "spec": spec}
        of_twin.pop("in_budget", None)
        first = twin(f"{name}_twin", **of_twin)
        return [first, stage(**more, start_from=first.name)]

    def _has_twin(self, spec: Any) -> bool:
        """Whether a model has an ANN twin that can be built: it comes from no file, and is no ANN itself."""
        return not is_file(spec) and models.specification(spec).get("neuron", self.recipe.neuron) != "relu"

    def with_twin_alone(self, stages: Sequence[Stage]) -> list[Stage]:
        """Stages, and before them the twin of the student alone, if one of them starts from that and it is not among them."""
        missing = any(stage.start_from == ALONE_TWIN for stage in stages) and all(stage.name != ALONE_TWIN for stage in stages)
        return [self.in_two_phases(ALONE)[0], *stages] if missing else list(stages)

    @property
    def _is_still(self) -> bool:
        """Whether the data are images, for which networks make time steps; those of signals are their own."""
        return not (self.data.is_series or self.data.is_events or self.data.is_text)

    def rival(self, method: Method, teacher: Any = None) -> list[Stage]:
        """The student's ANN twin as its rival, if the recipe asks for one: taught as the student is, and for as long."""
        if not self.recipe.rivals or self.recipe.mode != Mode.DISTILL:
            return []
        epochs = self.recipe.epochs + self.recipe.twin_epochs
        return [self.student(RIVAL, spec=twin_of(self.recipe.student), epochs=epochs, **self._of_twin(method, teacher))]

    def _of_twin(self, method: Method, teacher: Any) -> dict[str, Any]:
        """What of a method teaches the student's ANN twin: what needs no time steps, and no student as its own teacher."""
        taught = [objective for objective in method.objectives if teaches_twin(objective)]
        if not taught or teacher is None or isinstance(teacher, functools.partial):
            return {}
        label_weight = method.label_weight or 1.0  # where labels of single steps take the place of the label loss, the twin has that
        return {"objectives": taught, "label_weight": label_weight, "teacher": teacher}

    def student(self, name: str, **more: Any) -> Stage:
        """The student, alone if `more` does not say more."""
        recipe = self.recipe
        usual = {"spec": recipe.student, "epochs": recipe.epochs, "rate": recipe.learning_rate, "cache_views": recipe.cache or None}
        return self._stage(name, **{**usual, **more})

    def taught(self, name: str, method: Method, in_budget: bool = True, **more: Any) -> Stage:
        """The student, or another model in its place, trained by a method; `in_budget` where its spikes have to stay within one."""
        budget = budget_of(self.recipe) if in_budget else []
        loss = {"objectives": [*method.objectives, *budget], "label_weight": method.label_weight}
        return self.student(name, gradient=method.gradient, **loss, **more)

    def assistants(self, method: Method, teacher: Any, name: str = "assistant") -> tuple[Any, list[Stage]]:
        """The last assistant's name, and the stages of all of them."""
        stages: list[Stage] = []
        for number, spec in enumerate(self.recipe.assistants, start=1):
            mark = "" if len(self.recipe.assistants) == 1 else str(number)
            stages += self.in_two_phases(f"{name}{mark}", method, in_budget=False, spec=spec, teacher=teacher)
            teacher = stages[-1].name
        return teacher, stages

    def start(self, start: str | None, teacher: Any, first: Sequence[Any] | None = None, **more: Any) -> tuple[list[Stage], dict[str, Any]]:
        """The stages that a student's start needs, and more arguments of its own stage; `first` is what a stage without labels learns.

        A student that starts from no ANN twin trains for half of the twin's epochs more.
        """
        alone = {"epochs": self.recipe.epochs + self.recipe.twin_epochs // 2}
        if start == IMITATION:
            learned = {"objectives": tuple(first or ()), "label_weight": 0.0, "task": UNLABELLED.name, "teacher": teacher}
            stage = self.student(first_stage(first or ()), epochs=self.recipe.first_epochs or self.recipe.epochs, **learned, **more)
            return [stage], {"start_from": stage.name, **alone}
        if start == "ann_twin" and self.recipe.teacher == TWIN and isinstance(teacher, str):
            return [], {"start_from": teacher}
        if start == "ann_twin":
            return [self.twin_of_student("student_ann")], {"start_from": "student_ann"}
        if start == "shrunk":
            return [], {"start_from": teacher, "transfer": models.shrink_weights, **alone}
        if start == CONVERTED:
            longer = self._longer(self.recipe.teacher_timesteps // self.recipe.timesteps, twin_of(self.recipe.student))
            twin = self.twin_of_student("student_ann", **longer, changed=models.with_clip_floor)
            return [twin], {"start_from": twin.name, "transfer": models.convert_weights}
        if start == "kept_frames":
            gated = self.student("student_gated", changed=models.with_frame_gate)
            return [gated], {"start_from": gated.name, "transfer": None, "made_by": models.keep_frames, **alone}
        return [], {}

    def curriculum(self, method: Method) -> list[Stage]:
        """The student for many steps by labels, then for fewer, each from the stage before and taught by it."""
        times = max(1, self.recipe.teacher_timesteps // self.recipe.timesteps)
        stages = [self.student(f"student_x{times}", **self._longer(times, self.recipe.student))]
        while times > 1:
            times //= 2
            before, name = stages[-1].name, f"student_x{times}" if times > 1 else "student_distilled"
            longer = self._longer(times, self.recipe.student)
            stages.append(self.taught(name, method, in_budget=times == 1, teacher=before, start_from=before, **longer))
        return stages

    def _longer(self, times: int, spec: Any) -> dict[str, Any]:
        """The student, or its twin, for so many times its steps, of a series at most for all steps that it has."""
        spec = models.specification(spec)
        if spec["builder"] != "SequenceNet":
            return {"spec": spec, "timesteps": times * self.recipe.timesteps}
        frames = spec.get("frames") or self.data.image_shape[0]
        return {"spec": {**spec, "frames": min(times * frames, self.data.image_shape[0])}}

    def teacher(self) -> tuple[Any, list[Stage]]:
        """The teacher as a stage's name, a loaded model or a function of the student, and the stages that train it."""
        recipe = self.recipe
        if recipe.teacher == ITSELF:
            return functools.partial(models.with_timesteps, timesteps=recipe.teacher_timesteps), []
        if recipe.teacher == TWIN:
            return "teacher", [self.twin_of_student("teacher")]
        if teacher_file(recipe):
            return self._trained_teacher(), []
        stage = functools.partial(self.teacher_stage, neuron=recipe.teacher_neuron)
        length = {"epochs": recipe.teacher_epochs, "stop": recipe.teacher_stop}
        if recipe.teacher_start == "scratch" or recipe.teacher_neuron == "relu":
            return "teacher", [stage("teacher", **length)]
        if recipe.teacher_start in FROM_SHIPPED:
            return "teacher", self.made_of_shipped("teacher", recipe.teacher, recipe.teacher_neuron)
        twin = stage("teacher_ann", spec=twin_of(recipe.teacher), epochs=recipe.ann_epochs)
        return "teacher", [twin, stage("teacher", **length, start_from="teacher_ann")]

    def made_of_shipped(self, name: str, spec: Any, neuron: str | None) -> list[Stage]:
        """A spiking teacher that starts from the ANN that comes with the package, and is taught by it if the recipe says so.

        It is trained with the firing rates of its neurons as activations first, and with all time steps then.
        """
        recipe = self.recipe
        ann = shipped.name_of(recipe.dataset, spiking=False)
        start = models.load(shipped.path(ann))
        lessons = self._lessons_of_shipped(ann, start) if recipe.teacher_start == TAUGHT else {}
        lessons |= {"spec": spec, "neuron": neuron}
        rates = self.teacher_stage("teacher_rates", epochs=recipe.ann_epochs, rates=True, start_from=start, **lessons)
        length = {"epochs": recipe.teacher_epochs, "stop": recipe.teacher_stop}
        return [rates, self.teacher_stage(name, **length, start_from=rates.name, **lessons)]

    def _lessons_of_shipped(self, name: str, trained: keras.Model) -> dict[str, Any]:
        """What a stage has to be taught by an ANN that comes with the package; it runs in each step, in the precision of the run."""
        hinton = methods.get("hinton")
        with in_policy(self.recipe.precision):
            ann = build_for(self.data, twin_of(shipped.specification(name)), name)
        ann.set_weights(trained.get_weights())
        return {"teacher": ann, "file": shipped.path(name), "objectives": hinton.objectives, "label_weight": hinton.label_weight}

    def twin_of_student(self, name: str, **more: Any) -> Stage:
        """The student's ANN twin, trained by labels for as long as the student alone and its twin are."""
        epochs = self.recipe.epochs + self.recipe.twin_epochs
        return self.student(name, **{"spec": twin_of(self.recipe.student), "epochs": epochs, **more})

    def teacher_stage(self, name: str, **more: Any) -> Stage:
        """A teacher, or its twin."""
        recipe = self.recipe
        usual = {
            "spec": recipe.teacher,
            "timesteps": recipe.teacher_timesteps,
            "rate": recipe.teacher_learning_rate,
            "label_smoothing": recipe.label_smoothing,
        }
        return self._stage(name, **{**usual, **more})

    def _stage(
        self,
        name: str,
        *,
        spec: Any,
        epochs: int,
        rate: float,
        neuron: str | None = None,
        timesteps: int | None = None,
        file: Path | None = None,
        gradient: str = "bptt",
        rates: bool = False,
        changed: Callable[[keras.Model], keras.Model] | None = None,
        made_by: Callable[..., keras.Model] | None = None,
        **more: Any,
    ) -> Stage:
        """A stage; `file` is where its teacher, a model, comes from, or will be once it is trained.

        What is built is `changed`, or the model is `made_by` a function of the one it starts from. With `rates` it is the ANN twin whose
        activations are the firing rates of the neurons.
        """
        recipe = self.recipe
        more = {"task": self.task, **more}
        weights = recipe.class_weights if more["task"] == CLASSES.name else None
        if is_file(spec):
            make = functools.partial(own_network, spec, self.data, name)
            spec = {"sha256": sha256(spec)}
        else:
            spec = models.specification(spec)
            spec["neuron"] = spec.get("neuron", neuron or recipe.neuron)
            spec["timesteps"] = spec.get("timesteps", timesteps or recipe.timesteps)
            make = functools.partial(self._built, name, spec, rates, changed)
            spec = {**spec, "neuron": "relu"} if rates else spec

        return Stage(
            name,
            functools.partial(made_by, name=name) if made_by else make,
            epochs=epochs,
            learning_rate=rate,
            optimizer=recipe.optimizer,
            schedule=recipe.schedule,
            weight_decay=recipe.weight_decay,
            gradient=recipe.gradient or gradient,
            weight_bits=recipe.weight_bits,
            labels=recipe.labels,
            class_weights=weights,
            inputs="named" if self.data.is_named else "shared",
            seed=recipe.seed,
            settings={**self._settings(spec, rates), **self._teacher_settings(more.get("teacher"), file)},
            teacher_scale=None,  # given teachers are made to fit the data when they are loaded, see `load_teacher`
            **more,
        )

    def _built(self, name: str, spec: dict[str, Any], rates: bool, changed: Callable[[keras.Model], keras.Model] | None) -> keras.Model:
        """A new model of a specification; with `rates` its ANN twin whose activations are the firing rates of its neurons."""
        with in_policy(self.recipe.precision):
            model = build_for(self.data, {**spec, "neuron": "relu"} if rates else spec, name)
            if rates:
                model = models.with_rates(model, build_for(self.data, spec, name), spec["timesteps"])
            return changed(model) if changed else model

    def _settings(self, spec: dict[str, Any], rates: bool = False) -> dict[str, Any]:
        """What else a stage's record holds of the model and the data."""
        recipe = self.recipe
        settings: dict[str, Any] = {"model": spec, "precision": recipe.precision, "augment": recipe.augment, "data": self.data.fingerprint}
        if recipe.mixup:
            settings["mixup"] = recipe.mixup
        if rates:
            settings["activation"] = RATES
        return settings

    def _teacher_settings(self, teacher: Any, file: Path | None) -> dict[str, Any]:
        """What a stage's record holds of a teacher that no stage has trained."""
        recipe = self.recipe
        if isinstance(teacher, functools.partial):
            return {"teacher_timesteps": teacher.keywords["timesteps"]}
        if not isinstance(teacher, keras.Model):
            return {}
        file = file or teacher_file(recipe)
        settings: dict[str, Any] = {"teacher_sha256": sha256(file) if file and file.exists() else None}
        if (recipe.teacher_outputs, recipe.teacher_scale) != ("auto", "auto"):
            settings["teacher_form"] = [recipe.teacher_outputs, recipe.teacher_scale]
        return settings


def twin_of(model: Any) -> dict[str, Any]:
    """The specification of a model's ANN twin."""
    return {**models.specification(model), "neuron": "relu"}


def teaches_twin(objective: Any) -> bool:
    """Whether an objective can teach the student's ANN twin, which has no time steps."""
    made = objectives.get(objective)
    return made.uses_teacher and not made.needs_time


def _with_frames(recipe: ResolvedRecipe, data: datasets.Data) -> ResolvedRecipe:
    """With a number of frames for a student of series whose method has it see fewer steps than others, and that was given none.

    Its steps are those of the series, so that none could see more: it gets a half of them, or a quarter, and the others all.
    """
    times = recipe.teacher_timesteps // recipe.timesteps
    if not data.is_series or is_file(recipe.student) or recipe.student_start not in (CONVERTED, LONGER) or times < 2:
        return recipe
    spec = models.specification(recipe.student)
    if spec["builder"] != "SequenceNet" or spec.get("frames"):
        return recipe
    steps = data.image_shape[0]
    if steps < times:
        raise KDError(f"{data.name} has series of {steps} steps, and the method divides them by {times}; take another one (--objective)")
    return dataclasses.replace(recipe, student={**spec, "frames": steps // times})


def first_stage(first: Sequence[Any]) -> str:
    """The name of the stage in which these objectives are learned before labels are."""
    return "_".join(["student_first", *(objectives.get(one).name for one in first)])
