"""The teachers of a comparison: for each method one of the kind that its paper has."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import keras

from keras_snnkd import graphs, models
from keras_snnkd.distill.methods import Method
from keras_snnkd.distill.stage import Stage
from keras_snnkd.run.plan import STUDENTS_TWIN, Plan
from keras_snnkd.run.recipes.recipe import FROM_SHIPPED, SHIPPED, TWIN, ResolvedRecipe, is_file
from keras_snnkd.teachers import shipped

ANN, SPIKING = "teacher_ann", "teacher"
"""The names of the teachers beside the student's ANN twin, and of their stages."""


IN_PAPERS = {"ann": "ANN", "snn": "spiking", TWIN: "the student's ANN twin"}
"""What a method's teacher is called."""


class ComparedTeachers:
    """Which teacher each method has, and where they come from: a file, the package, or a stage.

    Args:
        recipe: That of the comparison, resolved.
        methods: Those that are compared.
        files: Of teachers that have been trained before; what the recipe names by default.
    """

    def __init__(self, recipe: ResolvedRecipe, methods: Iterable[Method], files: dict[str, Path] | None = None) -> None:
        self.recipe = recipe
        self.files = self._named_files() if files is None else files
        self.wanted = {self.name_for(method) for method in methods}

    def name_for(self, method: Method) -> str | None:
        """The name of a method's teacher; `None` for one without."""
        if method.longer or not (method.needs_teacher or method.start == "shrunk"):
            return None
        asked = self.recipe.teacher_neuron
        if method.teacher == TWIN and asked in (None, "relu") and not is_file(self.recipe.teacher):
            return STUDENTS_TWIN
        ann = method.taught_by_ann if asked is None else asked == "relu" and method.teacher != "snn"
        return ANN if ann and not is_file(self.recipe.teacher) else SPIKING

    def _named_files(self) -> dict[str, Path]:
        """The files of trained teachers, by name: the one that is given, or what the package has for the data set."""
        if is_file(self.recipe.teacher):
            return {SPIKING: Path(str(self.recipe.teacher))}
        if self.recipe.teacher != SHIPPED:
            return {}
        found = {}
        for name, spiking in {ANN: False, SPIKING: True}.items():
            if shipped.has(self.recipe.dataset, spiking):
                found[name] = shipped.path(shipped.name_of(self.recipe.dataset, spiking))
        return found

    def stages(self, plan: Plan) -> list[Stage]:
        """The stages of those that are trained here."""
        recipe = self.recipe
        if is_file(recipe.teacher):
            return []
        trained = self.wanted - set(self.files)
        spec = models.specification(f"{recipe.dataset}_teacher" if recipe.teacher == SHIPPED else recipe.teacher)
        length: dict[str, Any] = {"epochs": recipe.teacher_epochs, "stop": recipe.teacher_stop}
        start_from_twin = SPIKING in trained and recipe.teacher_start == "ann"
        stages = [plan.twin_of_student(STUDENTS_TWIN)] if STUDENTS_TWIN in trained else []
        if start_from_twin or ANN in trained:
            ann_length = {"epochs": recipe.ann_epochs} if start_from_twin else length
            stages.append(plan.teacher_stage(ANN, spec={**spec, "neuron": "relu"}, **ann_length))
        if SPIKING in trained:
            neuron = recipe.neuron if recipe.teacher_neuron in (None, "relu") else recipe.teacher_neuron
            if recipe.teacher_start in FROM_SHIPPED:
                return [*stages, *plan.made_of_shipped(SPIKING, spec, neuron)]
            start = {"start_from": ANN} if start_from_twin else {}
            stages.append(plan.teacher_stage(SPIKING, spec=spec, neuron=neuron, **length, **start))
        return stages

    def note(self, method: Method, teachers: Mapping[str, keras.Model]) -> str | None:
        """In words, that a method has a teacher of another kind than in its paper; `None` if it has not."""
        name = self.name_for(method) or ""
        teacher = teachers.get(name)
        if teacher is None or method.teacher not in IN_PAPERS:
            return None
        here, paper = IN_PAPERS[TWIN] if name == STUDENTS_TWIN else kind_of(teacher), IN_PAPERS[method.teacher]
        return None if here == paper else f"{method.name} has a teacher of another kind than in its paper: {here} here, {paper} there"


def kind_of(model: keras.Model) -> str:
    """`"spiking"`, or `"ANN"` for a network in which no layer emits spikes."""
    return "spiking" if any(graphs.fires(layer) for layer in model.layers) else "ANN"
