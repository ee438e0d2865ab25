"""Recipes: any JSON is a recipe that comes back from its file as it is, or is refused in words."""

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

import keras_snnkd as kd
from keras_snnkd.distill import methods
from keras_snnkd.errors import KDError
from tests.properties.values import NUMBERS

FIELDS = [field.name for field in dataclasses.fields(kd.Recipe)]
NAMES = st.sampled_from(
    ["mlp:8", "convnet:4,pool,8,flatten", "mlp:", "resnet:8/", "convnet:,", "mlp:0", "mlp:99999999999999999999", ":", "/", "x\0y", ""],
) | st.sampled_from(["self", "all", "lif", "digits", "a.keras", "soft_targets", "hinton", "flip+", "ann", "../..", "os.system"])
JSON = st.recursive(
    st.one_of(NUMBERS.filter(lambda value: not isinstance(value, (list, dict))), NAMES, st.text(max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(["builder", "widths", "objective", "weight", "schedule", "start", "end", "temperature", "window", "tau", "x"]),
            inner,
            max_size=3,
        ),
    ),
    max_leaves=6,
)


def resolved(content):
    """The recipe, or `None` if it is refused in our words."""
    try:
        return kd.Recipe.from_dict(content).resolved()
    except (KDError, ValueError):
        return None


@pytest.mark.parametrize("field", FIELDS)
@given(value=JSON)
def test_any_value_of_a_setting_is_taken_as_it_is_or_refused(field, value):
    recipe = resolved({field: value})
    if recipe is not None:
        assert kd.Recipe.from_dict(json.loads(json.dumps(recipe.to_dict()))).resolved() == recipe
        if value is not None and field not in ("objectives", "first_objectives"):
            assert getattr(recipe, field) == value


@given(content=st.dictionaries(st.one_of(st.sampled_from(FIELDS), st.text(max_size=8)), JSON, max_size=5))
def test_any_settings_together(content):
    recipe = resolved(content)
    assert recipe is None or recipe.resolved() == recipe


@given(spec=JSON)
def test_any_model_is_a_specification_or_refused(spec):
    recipe = resolved({"student": spec, "assistants": [spec]})
    assert recipe is None or set(kd.models.specification(recipe.student)) >= {"builder"}


@given(names=st.lists(st.sampled_from([*kd.objectives.names(), *methods.names()]), min_size=1, max_size=4))
def test_any_objectives_together_are_a_recipe_or_refused(names):
    recipe = resolved({"objectives": names, "mode": "distill"})
    assert recipe is None or all(isinstance(objective, dict) or objective in kd.objectives.names() for objective in recipe.objectives)
