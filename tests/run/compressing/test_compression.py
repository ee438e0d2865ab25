"""Words of `--compress`: what they are read as, what they refuse, and a student that goes through several of them."""

import keras
import numpy as np
import pytest

import keras_snnkd as kd
from keras_snnkd import compress, metrics
from keras_snnkd.distill.chain import Chain
from keras_snnkd.distill.objectives import SpikeBudget
from keras_snnkd.distill.stage import Stage
from keras_snnkd.errors import NothingToGainError
from keras_snnkd.models.rebuild import inner
from keras_snnkd.run.compressing import stages as compression
from keras_snnkd.run.compressing import ways
from keras_snnkd.run.compressing.finetuning import finetune_int8
from keras_snnkd.run.plan import Plan
from tests.distill.chain_cases import DATA

USUAL = {"epochs": 1, "learning_rate": 0.005, "weight_bits": 8, "seed": 0}


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("stsd", "unknown way to compress 'stsd'. Did you mean 'stds'"),
        ({"compress": "stds", "sparsty": 0.9}, "unknown argument of stds 'sparsty'. Did you mean 'sparsity'"),
        ({"compress": "stds", "sparsity": 1.0}, r"above 0 and below 1, got 1\.0"),
        ("stds", "to a sparsity or to a width"),
        ("unstructured", "to a sparsity, or by a penalty"),
        ({"compress": "tt", "rank": 0}, "rank must be a whole number above 0"),
        ("tt", "to a rank or to a share of energy"),
        ({"compress": "tt", "rank": 2, "keep": "smal"}, "Did you mean 'smaller'"),
        ({"compress": "channels", "share": 0}, "above 0 and at most 1"),
        ({"compress": "spikes", "rate": 2.0}, "above 0 and below 1"),
        ({"compress": "steps", "timesteps": 0}, "time"),
        ("device", "is perfect"),
        ("approximate", "arithmetic that leaves no bits out is exact"),
        ({"compress": "approximate", "adder": 7}, "adder is how many low bits the arithmetic leaves out, a whole number from 0 to 6"),
        ({"compress": "int8", "epochs": 0}, "epochs of int8 must be a whole number above 0"),
        ({"compress": "int8", "learning_rate": "fast"}, "must be a number above 0"),
        (5, "a word or a mapping"),
        ({"compress": ["stds"]}, "unknown way to compress"),
        ({"compress": "stds", "sparsity": 0.5, "schedule": ["sine"]}, "cannot compress by stds"),
        ({"compress": "stds", "width": "wide"}, "width must be a finite number of at least 0, got 'wide'"),
        ({"compress": "stds", "sparsity": 0.5, "over": "half"}, "above 0 and at most 1, got 'half'"),
        ({"compress": "stds", "sparsity": 0.5, "skip": 5}, "names of layers with [+] between them"),
        ({"compress": "stds", "sparsity": 0.5, "taught": "maybe"}, "taught of stds is True or False, got 'maybe'"),
        ({"compress": "stds", "sparsity": 0.5, "learning_rate": float("inf")}, "must be a number above 0, got inf"),
        ({"compress": "unstructured", "sparsity": 0.5, "penalty": -1}, "penalty of unstructured pruning must be .* got -1"),
        ({"compress": "unstructured", "penalty": float("inf")}, "penalty of unstructured pruning must be .* got inf"),
        ({"compress": "unstructured", "sparsity": 0.5, "neurons": 5}, "neurons of unstructured pruning is True or False"),
        ({"compress": "tt", "energy": 0}, "energy is the share .* got 0"),
        ({"compress": "tt", "energy": "most"}, "energy is the share .* got 'most'"),
        ({"compress": "tt", "rank": 2, "mode": "seq"}, "unknown mode of a tensor train 'seq'"),
        ({"compress": "channels", "share": float("nan")}, "above 0 and at most 1, got nan"),
        ({"compress": "spikes", "rate": 0.05, "weight": 0}, "a budget of weight 0 holds nothing"),
        ({"compress": "tt", "rank": 2, "mode": "half", "keep": "merged"}, "mode=half stays what it is, got keep='merged'"),
        ({"compress": "device", "noise": 0.1, "drift": 0.05}, r"drift with their age: .* got drift=0\.05, drift_spread=0\.0 and age=1\.0"),
        ({"compress": "reverse", "taught": False}, "is to learn from the sparse student, got taught=False"),
        ({"compress": "device", "noise": float("inf")}, "noise of a device must be a number of at least 0, got inf"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_trained(entry, message):
    with pytest.raises(ValueError, match=message):
        compression.read([entry])


def test_entries_are_words_or_mappings():
    entries = compression.read([{"compress": "tt", "rank": 2}, {"compress": "steps", "timesteps": 1}, "int8"])
    assert entries == [{"compress": "tt", "rank": 2}, {"compress": "steps", "timesteps": 1}, {"compress": "int8"}]
    assert compression.read(entries) == entries


def network():
    return kd.models.MLP((8, 8, 1), 10, widths=(24, 12), timesteps=2, threshold=0.5, name="student")


@pytest.fixture(scope="module")
def chain(tmp_path_factory):
    """A student of one epoch, pruned, made to fire less, and rounded; the chain, its results, and its folder."""
    entries = compression.read([{"compress": "stds", "sparsity": 0.8}, {"compress": "spikes", "rate": 0.01}, "int8"])
    folder = tmp_path_factory.mktemp("chain")

    def make():
        images = DATA.sample(32)[0]
        first = Stage("student_distilled", network, epochs=3, learning_rate=0.02, weight_bits=8)
        return Chain([first, *compression.stages(entries, "student_distilled", images, USUAL)], folder)

    return make, make().run(DATA)


@pytest.mark.merge
def test_each_word_is_a_stage_with_the_student_before_as_its_teacher(chain):
    _, results = chain
    assert list(results) == ["student_distilled", "student_stds", "student_spikes", "student_int8"]
    records = [result.record for result in results.values()]
    assert [record["teacher"] for record in records[1:]] == [record["name"] for record in records[:-1]]
    assert [record["settings"]["compress"]["compress"] for record in records[1:]] == ["stds", "spikes", "int8"]


@pytest.mark.merge
def test_zeros_stay_zeros_in_all_that_follows(chain):
    _, results = chain
    sparsities = [metrics.connection_sparsity(result.model) for result in results.values()]
    assert sparsities[0] < 0.1
    assert sparsities[1] >= 0.79
    assert min(sparsities[2:]) >= 0.79


@pytest.mark.merge
def test_what_is_saved_is_made_of_ordinary_layers(chain):
    _, results = chain
    assert not compress.prunable_layers(results["student_stds"].model)
    assert kd.models.is_quantize_aware(results["student_int8"].model)


@pytest.mark.merge
def test_zeros_cost_fewer_operations_and_bytes(chain):
    _, results = chain
    images = DATA.sample(64)[0]
    operations = [metrics.synaptic_operations(result.model, images).effective_acs for result in results.values()]
    assert operations[1] < operations[0]
    sizes = [metrics.compressed_size(result.model) for result in results.values()]
    assert sizes[1] < 0.9 * sizes[0]
    counted = metrics.synaptic_operations(results["student_int8"].model, images).to_dict()
    row = compression.costs(results["student_int8"].model, {"synaptic_operations": counted, "notes": ["first"]})
    assert row["notes"][0] == "first"
    assert "of its weights are 0; files for LiteRT pack the better, and take no less time" in row["notes"][1]
    assert row["energy"]["arithmetic"] == "int8"
    assert row["compressed_bytes"] == sizes[-1]


@pytest.mark.merge
def test_a_finished_chain_is_read_and_not_trained_again(chain):
    make, results = chain
    again = make().run(DATA, resume=True)
    images = DATA.sample(16)[0]
    for name, result in results.items():
        np.testing.assert_array_equal(again[name].model(images), result.model(images))


@pytest.mark.merge
def test_a_budget_above_what_the_student_needs_is_refused(chain):
    _, results = chain
    student, images = results["student_distilled"].model, DATA.sample(64)[0]
    needs = metrics.synaptic_operations(student, images).effective_acs
    with pytest.raises(NothingToGainError, match=rf"needs {needs:,.0f} operations a sample, and the budget of {2 * needs:,.0f} is above"):
        ways.check_budget(student, SpikeBudget(synops=2 * needs), images)
    with pytest.raises(NothingToGainError, match=r"of its spikes \(per neuron\), and the budget of 90\.00% is above"):
        ways.check_budget(student, SpikeBudget(rate=0.9, per="neuron"), images)
    ways.check_budget(student, SpikeBudget(synops=0.5 * needs), images)


@pytest.mark.merge
def test_a_sparsity_that_is_there_is_refused_before_its_stage_trains(chain, tmp_path):
    _, results = chain
    pruned = results["student_stds"].model
    (stage,) = compression.stages(compression.read([{"compress": "magnitude", "sparsity": 0.5}]), pruned, DATA.sample(8)[0], USUAL)
    with pytest.raises(NothingToGainError, match=r"are 0 already, so a sparsity of 50\.0% prunes nothing"):
        Chain([stage], tmp_path).check()  # the student is trained already
    assert not (tmp_path / "student_magnitude").exists()


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        (
            [{"compress": "stds", "sparsity": 0.9}, {"compress": "magnitude", "sparsity": 0.8}],
            r"sparsity=0\.8 behind stds with sparsity=0\.9",
        ),
        ([{"compress": "spikes", "rate": 0.05}, "int8", {"compress": "spikes", "rate": 0.05}], r"rate=0\.05 behind spikes"),
        ([{"compress": "spikes", "synops": 50}, {"compress": "spikes", "synops": 60}], "synops=60 behind spikes with synops=50"),
        ([{"compress": "steps", "timesteps": 1}, {"compress": "steps", "timesteps": 2}], "timesteps=2 behind steps with timesteps=1"),
        (["steps", "steps"], "timesteps=1 behind steps with timesteps=1"),
        (["spikes", "spikes"], r"rate=0\.057 behind spikes with rate=0\.057"),
        ([{"compress": "spikes", "rate": 0.05}, "spikes"], r"rate=0\.057 behind spikes with rate=0\.05"),
    ],
)
def test_a_word_that_asks_for_no_more_than_one_before_is_refused_at_once(entries, message):
    with pytest.raises(NothingToGainError, match=message):
        compression.read(entries)


def test_how_many_channels_there_will_be_is_not_judged_by_an_untrained_student():
    def silent():
        return kd.models.ConvNet((8, 8, 1), 10, widths=(8, "pool", 8), timesteps=2, threshold=100.0, name="student")

    words = [{"compress": "channels", "share": 0.8}, {"compress": "tt", "rank": 2}]
    one_image(silent)(words).check()  # whose layers would have one channel left


def test_a_tensor_train_behind_pruning_is_refused_since_it_is_dense():
    pruned, train = {"compress": "unstructured", "sparsity": 0.9}, {"compress": "tt", "rank": 2}
    with pytest.raises(NothingToGainError, match="tt behind unstructured undoes the pruning; name tt first"):
        compression.read([pruned, {"compress": "steps", "timesteps": 1}, train])
    compression.read([train, pruned])
    compression.read([pruned, "reverse", train])


def test_words_of_other_kinds_or_that_ask_for_more_are_not():
    compression.read([{"compress": "spikes", "rate": 0.05}, {"compress": "spikes", "rate": 0.05, "per": "neuron"}])
    compression.read([{"compress": "stds", "sparsity": 0.9}, "reverse", {"compress": "stds", "sparsity": 0.8}])


def one_image(model):
    """A chain that trains this network, and what is behind it; nothing of it is run."""
    return lambda entries: Chain(
        [Stage("student", model), *compression.stages(compression.read(entries), "student", DATA.sample(8)[0], USUAL)], "nowhere"
    )


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ([{"compress": "steps", "timesteps": 2}], "has T = 2, which is not more than the 2 asked for; ask for fewer"),
        ([{"compress": "spikes", "synops": 1e9}], r"cause at most .* operations a sample, .* and the budget is 1,000,000,000"),
        ([{"compress": "tt", "rank": 2}], "no convolution of .* becomes smaller"),
        ([{"compress": "channels", "skip": ["block1_dense", "block2_dense"]}], "no hidden layer whose channels can be cut"),
        ([{"compress": "stds", "sparsity": 0.9, "skip": ["blok1_dense"]}], "Did you mean 'block1_dense'"),
        (
            ["int8", {"compress": "stds", "sparsity": 0.9}],
            "stds behind int8: the student is a network of integers by then; name",
        ),
        (["int4", "int8"], "int8 behind int4: the student is a network of integers by then"),
        (["ternary", {"compress": "approximate", "adder": 2}], "approximate behind ternary: the student is a network of integers"),
        (["channels", {"compress": "channels", "share": 0.995}], r"share=0\.995 behind channels with share=0\.95, .* ask for less"),
        ([{"compress": "spikes", "rate": 0.05, "ramp": 3, "epochs": 3}], "trains for 3 epochs, and its budget is there after ramp=3"),
    ],
)
def test_what_a_student_of_this_form_cannot_gain_is_refused_before_it_is_trained(entries, message):
    with pytest.raises(ValueError, match=message):
        one_image(network)(entries).check()


@pytest.mark.parametrize("word", ["int4", "ternary", {"compress": "approximate", "adder": 2}])
def test_words_about_membranes_refuse_a_network_that_has_none(word):
    with pytest.raises(NothingToGainError, match="no spiking neurons, whose membranes this is about; take int8"):
        one_image(lambda: kd.models.MLP((8, 8, 1), 10, widths=(6,), neuron="relu", name="student"))([word]).check()


@pytest.mark.merge
def test_a_budget_behind_other_words_is_checked_before_the_first_of_them_trains(chain, tmp_path):
    _, results = chain
    entries = compression.read([{"compress": "magnitude", "sparsity": 0.9}, {"compress": "spikes", "rate": 0.9, "per": "neuron"}])
    stages = compression.stages(entries, results["student_distilled"].model, DATA.sample(32)[0], USUAL)
    with pytest.raises(NothingToGainError, match=r"and the budget of 90\.00% is above"):
        Chain(stages, tmp_path).check()


def test_variants_start_from_the_student_before_them_and_so_does_what_follows():
    entries = compression.read(
        [
            {"compress": "stds", "sparsity": 0.8},
            {"compress": "approximate", "adder": 2},
            {"compress": "approximate", "multiplier": 3},
            "int8",
        ]
    )
    found = compression.stages(entries, "student_distilled", DATA.sample(8)[0], USUAL)
    assert [stage.name for stage in found] == ["student_stds", "student_approximate", "student_approximate_2", "student_int8"]
    assert {(stage.teacher, stage.start_from) for stage in found[1:]} == {("student_stds", "student_stds")}
    variant = found[1].student(network())
    assert variant.get_layer("block1_neuron").dynamics.adder_bits == 2
    assert variant.get_layer("block1_neuron").dynamics.multiplier_bits == 0


def test_a_student_for_any_number_of_steps_learns_at_each_of_them():
    stages = compression.stages(compression.read(["anytime", {"compress": "anytime", "taught": False}]), "student", None, USUAL)
    taught, alone = ([objective["objective"] for objective in stage.objectives] for stage in stages)
    assert taught == ["step_labels", "soft_targets", "correct_steps"]
    assert alone == [name for name in taught if not kd.objectives.get(name).uses_teacher]
    assert "soft_targets" not in alone
    assert {stage.label_weight for stage in stages} == {0.0}


def test_behind_reverse_the_student_has_its_steps_and_spikes_again():
    steps = {"compress": "steps", "timesteps": 1}
    compression.read([steps, "reverse", steps])
    compression.read([{"compress": "spikes", "rate": 0.05}, "reverse", {"compress": "spikes", "rate": 0.05}])


def test_zeros_stay_behind_pruning_and_not_where_a_weight_was_rounded_to_0():
    model = network()
    kernel = model.get_layer("block1_dense").kernel
    kernel.assign(np.where(np.arange(kernel.shape[1]) == 0, 0.0, kernel))  # one of six columns
    words = ["anytime", {"compress": "magnitude", "sparsity": 0.5}, {"compress": "steps", "timesteps": 1}]
    stages = compression.stages(compression.read(words), "student", DATA.sample(8)[0], USUAL)
    kept = [stage.student(model).get_layer("block1_dense").kernel.constraint is not None for stage in stages[::2]]
    assert kept == [False, True]


def test_what_a_mask_of_neurons_silenced_stays_silent_and_the_8_bit_file_keeps_zeros(tmp_path):
    model = network()
    dense, norm = model.get_layer("block1_dense"), model.get_layer("block1_norm")
    silent = np.arange(24) < 12  # a kernel without half of its columns, as `plain` leaves it
    for variable in (inner(dense).kernel, norm.gamma, norm.beta, norm.moving_mean):
        variable.assign(np.where(silent, 0.0, variable.numpy() + 0.1))
    following = compress.copied(model)
    assert compress.is_pruned(model)
    compress.keep_zeros(following)
    following.compile(keras.optimizers.Adam(0.05), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    following.fit(*DATA.sample(32), epochs=3, verbose=0)
    after = following.get_layer("block1_norm")
    for variable in (after.gamma, after.beta):
        np.testing.assert_array_equal(variable.numpy()[silent], 0.0)
        assert (variable.numpy()[~silent] != norm.beta.numpy()[~silent]).all()
    tuned = finetune_int8(model, DATA, tmp_path / "tuned", epochs=1, learning_rate=0.01)
    assert metrics.connection_sparsity(tuned) >= metrics.connection_sparsity(model)


def test_weights_of_classes_are_those_of_every_stage():
    recipe = kd.Recipe(class_weights="balanced", compress=["int8"], limit=200).resolved()
    stages = Plan(recipe, DATA, network).compressed("student", recipe.compress)
    assert [stage.class_weights for stage in stages] == ["balanced"]


@pytest.mark.parametrize(
    ("settings", "epochs"), [({}, 15), ({"dataset": "fashion_mnist"}, 4), ({"dataset": "fashion_mnist", "epochs": 1}, 4)]
)
def test_a_word_trains_for_half_of_what_the_student_had_in_which_an_epoch_of_its_twin_counts_half(settings, epochs):
    recipe = kd.Recipe(compress=["int8"], **settings).resolved()
    assert [stage.epochs for stage in Plan(recipe, DATA, network).compressed("student", recipe.compress)] == [epochs]


@pytest.mark.parametrize(("optimizer", "rate", "rounding"), [("adamw", 0.5 * 5e-3, 0.5 * 5e-3), ("sgd", 0.5 * 0.1, 0.1 * 0.1)])
def test_a_word_trains_at_a_part_of_the_students_learning_rate_and_sgd_rounds_with_care(optimizer, rate, rounding):
    pruned = [{"compress": "magnitude", "sparsity": 0.5}, {"compress": "stds", "sparsity": 0.9}]
    for word in ("int8", "int4", "ternary", {"compress": "approximate", "adder": 2}):
        recipe = kd.Recipe(compress=[*pruned, word], optimizer=optimizer).resolved()
        found = [stage.learning_rate for stage in Plan(recipe, DATA, network).compressed("student", recipe.compress)]
        assert found == pytest.approx([rate, 4 * rate, rounding])


def test_a_network_above_its_budget_is_told_and_one_below_is_not():
    model, images = network(), DATA.sample(32)[0]
    budget = SpikeBudget(synops=1.0)
    needs, _ = ways.used(model, budget, images)
    record = {"objectives": ["soft_targets", {"objective": "spike_budget", "synops": 0.5 * needs}]}
    (said,) = ways.budget_told("student_spikes", model, record, images)
    assert said.startswith(
        f"student spikes is above its budget: it needs {needs:,.0f} operations a sample, and {0.5 * needs:,.0f} operations"
    )
    kept = {"objectives": [{"objective": "spike_budget", "rate": 0.99, "per": "neuron"}]}
    assert ways.budget_told("student_spikes", model, kept, images) == []
    assert ways.budget_told("student_alone", model, {"objectives": ()}, images) == []


def test_a_budget_that_rises_is_judged_once_it_is_there():
    entries = compression.read([{"compress": "spikes", "rate": 0.05, "ramp": 5, "epochs": 7}, {"compress": "spikes", "rate": 0.04}])
    first, second = compression.stages(entries, "student", DATA.sample(8)[0], {**USUAL, "epochs": 4})
    assert (first.judged_from, second.judged_from) == (5, 2)


def test_the_last_device_is_the_one_that_counts():
    entries = compression.read([{"compress": "device", "noise": 0.1}, {"compress": "device", "levels": 8, "epochs": 2}, "int8"])
    images, labels = DATA.sample(8)
    found = compress.device_accuracy(model := network(), images, labels, compress.Device(levels=8))
    assert compression.on_device(model, images, labels, entries) == {"on_device": found.to_dict()}
    assert compression.on_device(model, images, labels, entries[2:]) == {}


def test_in_reverse_the_pruned_student_teaches_the_first_one():
    entries = compression.read([{"compress": "stds", "sparsity": 0.8}, "reverse"])
    _, reverse = compression.stages(entries, "student_distilled", DATA.sample(8)[0], USUAL)
    assert (reverse.teacher, reverse.start_from) == ("student_stds", "student_distilled")
    model = network()
    model.get_layer("block1_dense").kernel.assign(0 * model.get_layer("block1_dense").kernel)
    student = reverse.start({"student_distilled": model})
    assert student.get_layer("block1_dense").kernel.constraint is None  # it may become dense again


def test_reverse_is_one_word_that_prunes_by_itself_where_nothing_has():
    assert compression.read(["reverse"]) == [{"compress": "stds", "sparsity": 0.9}, {"compress": "reverse"}]
    assert compression.read([{"compress": "reverse", "sparsity": 0.5}]) == [{"compress": "stds", "sparsity": 0.5}, {"compress": "reverse"}]
    once = compression.read([{"compress": "magnitude", "sparsity": 0.8}, "reverse"])
    assert [entry["compress"] for entry in once] == ["magnitude", "reverse"]
    assert compression.read(once) == once
    with pytest.raises(ValueError, match="magnitude prunes the student that teaches reverse; give the sparsity there"):
        compression.read([{"compress": "magnitude", "sparsity": 0.8}, {"compress": "reverse", "sparsity": 0.9}])
    with pytest.raises(ValueError, match="above 0 and below 1"):
        compression.read([{"compress": "reverse", "sparsity": 1.0}])


def test_fewer_steps_are_the_same_network_run_for_fewer():
    entries = [{"compress": "steps", "timesteps": 1}, {"compress": "steps", "timesteps": 1}]
    first, second = compression.stages(entries, "student_distilled", None, USUAL)
    assert (first.name, second.name, second.teacher) == ("student_T1", "student_T1_2", "student_T1")
    model = network()
    student = first.start({"student_distilled": model})
    assert student.get_layer("encoder").timesteps == 1
    first.requires(model)
    with pytest.raises(NothingToGainError, match="has T = 1, which is not more than the 1 asked for; ask for fewer"):
        second.requires(student)
    assert not {id(weight) for weight in student.weights} & {id(weight) for weight in model.weights}
    for ours, theirs in zip(student.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_without_a_teacher_labels_alone_train():
    (stage,) = compression.stages(
        compression.read([{"compress": "stds", "sparsity": 0.5, "taught": False, "epochs": 4, "learning_rate": 0.1}]),
        "student_distilled",
        None,
        USUAL,
    )
    assert (stage.teacher, list(stage.objectives), stage.epochs, stage.learning_rate) == (None, [], 4, 0.1)
    assert stage.judged_from == 2  # from half of the epochs on


def test_masks_are_cut_early_while_they_are_soft():
    (pruning,) = compression.step_of({"compress": "unstructured", "sparsity": 0.9}, None).during()
    assert (pruning.schedule, pruning.over, pruning.scope) == ("cubic", 0.5, "balanced")
