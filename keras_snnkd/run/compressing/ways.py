"""What each way to compress does to a student: how it is made, what moves while it trains, and what it becomes."""

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras

from keras_snnkd import compress, graphs, metrics, models
from keras_snnkd.compress.channels import check_share
from keras_snnkd.compress.plain import TRAINS
from keras_snnkd.compress.pruning import check_sparsity
from keras_snnkd.compress.tensor_trains import check_truncation
from keras_snnkd.distill import methods, schedules
from keras_snnkd.distill.objective import counting
from keras_snnkd.distill.objectives import SpikeBudget
from keras_snnkd.distill.objectives.budget import share_of_real_steps
from keras_snnkd.distill.taps import TapModel
from keras_snnkd.errors import NothingToGainError, unknown_name
from keras_snnkd.export.freeze import timesteps as steps_of
from keras_snnkd.layers.encoders import check_timesteps, is_number
from keras_snnkd.neurons.quantized import check_left_out
from keras_snnkd.run.compressing.finetuning import SOFT_TARGETS

MEMBRANES = {"objective": "membrane", "weight": 1.0}


@dataclasses.dataclass(frozen=True)
class Step:
    """What one word does to a student.

    Args:
        make: From the trained student to the one that is trained now, which shares no weights with it.
        during: Makes the callbacks that move it.
        finish: From what was trained to an ordinary network.
        demands: Raises for a trained student to which this would do nothing.
        demands_of_first: The same, of the student that the first word gets, before any of them trains.
        requires: Raises for a student, trained or not, of a form in which this can do nothing.
        objectives: What it learns beside the labels; those that ask the student before are left out where that does not teach.
        label_weight: Of the label loss.
        rate: Times the usual learning rate.
        fine: Whether only the rounding of weights and neurons has to be learned, with SGD at `FINE` of that rate.
        settled: The part of the epochs after which it has its final size.
        rises: The epochs in which what it is asked for rises.
        rounded: Whether its weights are rounded as those of the other students.
        from_first: Whether it starts from the student that the first word got, dense again, and has the student before for its teacher.
        beside: Whether it is a variant of the student before, which the next word gets in its place.
    """

    make: Callable[[keras.Model], keras.Model]
    during: Callable[[], Sequence[keras.callbacks.Callback]] | None = None
    finish: Callable[[keras.Model], keras.Model] | None = None
    demands: Callable[[keras.Model], Any] | None = None
    demands_of_first: Callable[[keras.Model], Any] | None = None
    requires: Callable[[keras.Model], Any] | None = None
    objectives: Sequence[Any] = (SOFT_TARGETS,)
    label_weight: float | Mapping[str, Any] = 1.0
    rate: float = 1.0
    fine: bool = False
    settled: float = 0.0
    rises: int = 0
    rounded: bool = True
    from_first: bool = False
    beside: bool = False


FINE = {"sgd": 0.2}
"""By optimizer, the part of the usual learning rate for words that round; at all of it int4 with its membranes fell to chance."""

STDS_RATE = 4.0
"""Of STDS: the weights that are left have to grow as fast as the threshold does that is taken off them."""


def _pruned(method: str, images: Any, pruning: dict[str, Any], rate: float = 1.0, **form: Any) -> Step:
    during = functools.partial(compress.Pruning, **pruning)
    during()  # which checks its settings
    return Step(
        functools.partial(compress.prunable, method=method, **form),
        during=lambda: [during()],
        finish=compress.plain,
        demands=functools.partial(check_sparser, sparsity=pruning["sparsity"]),
        rate=rate,
        settled=pruning["over"],
    )


def _stds(
    images: Any,
    sparsity: float | None = None,
    width: float | None = None,
    mapping: str = "st",
    schedule: str = "cubic",
    over: float = 0.5,
    scope: str = "balanced",
    skip: Sequence[str] = (),
) -> Step:
    names = {"st": "stds", "stmod": "stds_through"}
    if mapping not in names:
        raise unknown_name("mapping of stds", mapping, names)
    pruning = {"sparsity": sparsity, "width": width, "schedule": schedule, "over": over, "scope": scope}
    return _pruned(names[mapping], images, pruning, STDS_RATE, skip=_names(skip))


def _magnitude(
    images: Any,
    sparsity: float | None = None,
    schedule: str = "cubic",
    over: float = 0.7,
    scope: str = "network",
    skip: Sequence[str] = (),
) -> Step:
    pruning = {"sparsity": sparsity, "schedule": schedule, "over": over, "scope": scope}
    return _pruned("magnitude", images, pruning, skip=_names(skip))


def _unstructured(
    images: Any,
    sparsity: float | None = None,
    penalty: float = 0.0,
    neurons: bool = True,
    schedule: str = "cubic",
    over: float = 0.5,
    scope: str = "balanced",
    skip: Sequence[str] = (),
) -> Step:
    if not is_number(penalty) or penalty < 0:
        raise ValueError(f"penalty of unstructured pruning must be a finite number of at least 0, got {penalty!r}")
    if not isinstance(neurons, bool):
        raise ValueError(f"neurons of unstructured pruning is True or False, got {neurons!r}")
    if sparsity is None and not penalty:
        raise ValueError("unstructured pruning goes to a sparsity, or by a penalty above 0; give one of them, as unstructured:sparsity=0.9")
    pruning = {"sparsity": sparsity, "width": None if sparsity is not None else 0.0, "schedule": schedule, "over": over, "scope": scope}
    return _pruned("unstructured", images, pruning, skip=_names(skip), penalty=penalty, neurons=neurons)


def _channels(images: Any, share: float = 0.95, skip: Sequence[str] = ()) -> Step:
    check_share(share)
    narrow = functools.partial(compress.narrowed, images=images, share=share, skip=_names(skip))
    return Step(_or_as_it_is(narrow), demands=narrow, requires=functools.partial(compress.check_narrowable, skip=_names(skip)))


def _tt(
    images: Any,
    rank: int | None = None,
    energy: float | None = None,
    mode: str = "sequential",
    keep: str = "smaller",
    skip: Sequence[str] = (),
) -> Step:
    check_truncation(rank, energy, mode)
    if keep not in TRAINS:
        raise unknown_name("form of tensor trains", keep, TRAINS)
    if mode == "half" and keep != TRAINS[0]:
        raise ValueError(f"a tensor train of mode=half stays what it is, got keep={keep!r}; leave keep out, or take another mode")
    decompose = functools.partial(compress.decomposed, rank=rank, energy=energy, mode=mode, skip=_names(skip))
    finish = None if mode == "half" else functools.partial(compress.plain, trains=keep)
    known = decompose if energy is None else None  # which convolutions become smaller
    return Step(_or_as_it_is(decompose), finish=finish, demands=decompose, requires=known, rounded=mode != "half")


def _steps(images: Any, timesteps: int = 1) -> Step:
    check_timesteps(timesteps)
    return Step(
        lambda student: compress.copied(models.with_timesteps(student, timesteps)),
        requires=functools.partial(check_fewer_steps, timesteps=timesteps),
    )


def _anytime(images: Any) -> Step:
    full_range = methods.get("full_range")
    return Step(compress.copied, objectives=full_range.objectives, label_weight=full_range.label_weight or 0.0)


def _spikes(
    images: Any, rate: float | None = None, synops: float | None = None, per: str = "operation", weight: float = 1.0, ramp: int = 0
) -> Step:
    if weight == 0:
        raise ValueError("a budget of weight 0 holds nothing; give a weight above 0")
    budget = SpikeBudget(rate, synops, per, weight=weight)
    rising = {"schedule": "ramp", "start": 0.0, "end": weight, "over": ramp}
    schedules.get(rising if ramp else weight, "weight")
    kept = functools.partial(check_budget, budget=budget, images=images)
    return Step(
        compress.copied,
        demands=kept,
        demands_of_first=kept,
        objectives=[
            SOFT_TARGETS,
            {"objective": "spike_budget", "rate": rate, "synops": synops, "per": per, "weight": rising if ramp else weight},
        ],
        settled=0.5,
        rises=ramp,
    )


def _bits(bits: int, images: Any, objectives: Sequence[Any] = (SOFT_TARGETS,)) -> Step:
    make = functools.partial(models.quantize_aware, images=images, weight_bits=bits)
    return Step(make, requires=check_spiking if MEMBRANES in objectives else None, objectives=objectives, rounded=False, fine=True)


def _int8(images: Any) -> Step:
    return _bits(8, images)


def _int4(images: Any) -> Step:
    return _bits(4, images, [SOFT_TARGETS, MEMBRANES])


def _ternary(images: Any) -> Step:
    return _bits(2, images, [SOFT_TARGETS, MEMBRANES])


def _approximate(images: Any, adder: int = 0, multiplier: int = 0) -> Step:
    check_left_out("adder", adder)
    check_left_out("multiplier", multiplier)
    if not adder and not multiplier:
        raise ValueError("arithmetic that leaves no bits out is exact: give approximate:adder=2 or approximate:multiplier=2, or take int8")
    make = functools.partial(models.quantize_aware, images=images, adder_bits=adder, multiplier_bits=multiplier)
    return Step(make, requires=check_spiking, rounded=False, fine=True, beside=True)


def _device(
    images: Any,
    noise: float = 0.0,
    drift: float = 0.0,
    drift_spread: float = 0.0,
    age: float = 1.0,
    stuck: float = 0.0,
    levels: int | None = None,
) -> Step:
    device = compress.Device(noise, drift, drift_spread, age, stuck, levels)
    return Step(functools.partial(compress.noise_aware, device=device), finish=compress.plain)


REVERSE_SPARSITY = 0.9
"""Of the student that teaches in reverse, where no word before has pruned it."""


def _reverse(images: Any, sparsity: float = REVERSE_SPARSITY) -> Step:
    check_sparsity(sparsity)
    return Step(compress.copied, from_first=True)


WORDS: dict[str, Callable[..., Step]] = {
    "stds": _stds,
    "magnitude": _magnitude,
    "unstructured": _unstructured,
    "channels": _channels,
    "tt": _tt,
    "steps": _steps,
    "anytime": _anytime,
    "spikes": _spikes,
    "int8": _int8,
    "int4": _int4,
    "ternary": _ternary,
    "approximate": _approximate,
    "device": _device,
    "reverse": _reverse,
}
"""What a student can go through."""


def check_sparser(student: keras.Model, sparsity: float | None) -> None:
    """Raise a `NothingToGainError` if a network has so many zeros already."""
    if sparsity is None:
        return
    now = metrics.connection_sparsity(student)
    if now >= check_sparsity(sparsity):
        raise NothingToGainError(
            f"{now:.1%} of the weights of {student.name} are 0 already, so a sparsity of {sparsity:.1%} prunes nothing; ask for more"
        )


def check_fewer_steps(student: keras.Model, timesteps: int) -> None:
    """Raise a `NothingToGainError` if a network has no more steps than that."""
    now = steps_of(student)
    if now is not None and now <= timesteps:
        raise NothingToGainError(f"{student.name} has T = {now}, which is not more than the {timesteps} asked for; ask for fewer")


def check_spiking(student: keras.Model) -> None:
    """Raise a `NothingToGainError` if a network has no neurons with a membrane."""
    if not any(graphs.fires(layer) for layer in graphs.flat(student).layers):
        raise NothingToGainError(f"{student.name} has no spiking neurons, whose membranes this is about; take int8")


def check_budget(student: keras.Model, budget: SpikeBudget, images: Any) -> None:
    """Raise a `NothingToGainError` if a network stays below a budget already.

    Args:
        student: A trained one.
        budget: The budget.
        images: To count on, prepared as for the student.
    """
    now, limit = used(student, budget, images)
    if now <= limit:
        allowed = f"{limit:,.0f}" if budget.rate is None else f"{limit:.2%}"
        raise NothingToGainError(f"{student.name} needs {shown(budget, now)}, and the budget of {allowed} is above that; ask for less")


def used(student: keras.Model, budget: SpikeBudget, images: Any) -> tuple[float, float]:
    """What a network uses of a budget on some images, and what it may."""
    budget.prepare(student)
    samples = keras.tree.map_structure(keras.ops.convert_to_tensor, graphs.in_order(graphs.flat(student), images))
    taps = TapModel(student, budget.student_tap)(samples)
    spikes = [taps[tap] for tap in budget.student_tap]
    with counting(TapModel.masks(taps, budget.student_tap)):
        ((_, now),) = budget.measures(spikes).items()
        possible = budget.possible * float(share_of_real_steps(spikes))
    now = float(now) / (possible if budget.synops is None and budget.per == "operation" else 1.0)
    return now, budget.rate or budget.synops or 0.0  # one of the two is there


def shown(budget: SpikeBudget, value: float) -> str:
    """A number of operations, or a share of spikes, in words."""
    return f"{value:,.0f} operations a sample" if budget.rate is None else f"{value:.2%} of its spikes (per {budget.per})"


EXCEEDED = 1.1
"""Times a budget: what a trained network may use of it without a word."""


def budget_told(name: str, model: keras.Model, record: Mapping[str, Any], images: Any) -> list[str]:
    """A sentence where a stage's network uses more than the budget that it was trained with, and what to do."""
    said = []
    for entry in record.get("objectives") or ():
        if isinstance(entry, Mapping) and entry.get("objective") == "spike_budget":
            budget = SpikeBudget(entry.get("rate"), entry.get("synops"), entry.get("per", "operation"))
            now, limit = used(model, budget, images)
            if now > EXCEEDED * limit:
                said.append(
                    f"{name.replace('_', ' ')} is above its budget: it needs {shown(budget, now)}, and {shown(budget, limit)} were asked "
                    "for. Train longer (spikes:epochs=...), give the budget more weight (weight=...), or ask for less at once"
                )
    return said


def _or_as_it_is(make: Callable[[keras.Model], keras.Model]) -> Callable[[keras.Model], keras.Model]:
    """Before the student is trained, nothing can be said of what it can spare; then it stays as it is."""

    def made(student: keras.Model) -> keras.Model:
        try:
            return make(student)
        except NothingToGainError:
            return compress.copied(student)

    return made


def _names(skip: Any) -> list[str]:
    """Names of layers, from a list or from one text with `+` between them."""
    names = skip.split("+") if isinstance(skip, str) else skip
    if not isinstance(names, (list, tuple)) or not all(isinstance(name, str) for name in names):
        raise ValueError(f"skip is the names of layers with + between them, as skip=block1_conv+classifier, got {skip!r}")
    return list(names)
