"""What came out of a run, in sentences."""

from collections.abc import Mapping, Sequence
from typing import Any

from keras_snnkd.report import formats
from keras_snnkd.report.break_even import break_even_sentence
from keras_snnkd.report.columns import model_labels
from keras_snnkd.report.faults import of_plain_data
from keras_snnkd.report.sizes import larger_sentences


@of_plain_data
def summary(run: Mapping[str, Any]) -> list[str]:
    """What came out of a run in sentences: how much smaller each student is than the teacher, what distillation gave, where the student
    alone is if it is the more accurate one, what the last student takes where no zeros are skipped, whether it is quiet enough to need
    less energy than its ANN twin, and which files of fewer bits are no smaller.

    Args:
        run: See `keras_snnkd.report`.

    Returns:
        The sentences; none where there is nothing to compare.

    Example:
        >>> print(*kd.report.summary(run), sep="\\n")
    """
    rows = [row for row in run.get("models") or [] if formats.number(row.get("accuracy")) is not None]
    labels = model_labels(rows)
    teacher = next((row for row in rows if row.get("role") == "teacher"), None)
    students = [row for row in rows if row.get("role") == "student"]
    images = formats.number((run.get("dataset") or {}).get("test"))
    sentences = []
    for student in students:
        if not student.get("taught_by"):
            continue
        label = labels[student["name"]]
        if teacher:
            sentences.append(f"{label}: {_smaller(student, teacher)}{_compare(student, teacher, labels[teacher['name']], images)}.")
        if alone := untaught(student, students):
            same = "same " if alone.get("parameters") == student.get("parameters") else ""
            sentences.append(
                f"{label}: {_compare(student, alone, f'the {same}student trained alone', images)}. "
                "This is one run with one seed, so read it as a hint; a result needs several seeds and equally tuned arms."
            )
    sentences += filter(None, [better_alone(run)])
    if teacher and students:
        sentences += filter(None, [_on_a_cpu(students[-1], teacher, labels, compared=bool(run.get("verdict")))])
    if students and not run.get("verdict"):  # which says it too
        last = students[-1]["name"]
        rate = ((run.get("activity") or {}).get(last) or {}).get("rate")
        sentences += filter(None, [break_even_sentence(rate, f"the {labels[last]}")])
    for row in rows:
        files = row.get("bytes")
        sizes = {f"LiteRT {kind}": size for kind, size in files.items()} if isinstance(files, Mapping) else {}
        sentences += [f"{labels[row['name']]}: {sentence}" for sentence in larger_sentences(sizes)]
    return sentences


def better_alone(run: Mapping[str, Any]) -> str:
    """Where the student alone is, if it is more accurate than the last student, which is the one that is kept; else nothing."""
    students = [row for row in run.get("models") or [] if row.get("role") == "student" and formats.number(row.get("accuracy")) is not None]
    last = students[-1] if students else {}
    alone = untaught(last, students)
    if alone is None or alone["accuracy"] <= last["accuracy"]:
        return ""
    exported = any(entry and entry.get("model") == alone["name"] for entry in run.get("exports") or [])
    place = "/".join(filter(None, [run.get("folder"), "export" if exported else "", alone["name"]]))
    return (
        f"The student alone is the more accurate one, {formats.percent(alone['accuracy'])} against {formats.percent(last['accuracy'])}; "
        f"its files are in {place}."
    )


def untaught(student: Mapping[str, Any], students: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The student that no one taught: of a spiking one the spiking one, of its twin without time steps the twin."""
    untaught = [row for row in students if not row.get("taught_by")]
    alike = [row for row in untaught if (row.get("timesteps") is None) == (student.get("timesteps") is None)]
    return next(iter(alike or untaught), None)


def _on_a_cpu(student: Mapping[str, Any], teacher: Mapping[str, Any], labels: Mapping[str, str], compared: bool) -> str:
    """What the student costs where nothing is skipped, beside its teacher; nothing where that was not counted."""
    ours, theirs = (formats.number((row.get("synaptic_operations") or {}).get("dense")) for row in (student, teacher))
    if not ours or not theirs:
        return ""
    times = f"{ours / theirs:.2g} times the" if ours >= theirs else f"{theirs / ours:.2g} times fewer than the"
    said = (
        f"A CPU or microcontroller skips no zeros: there the {labels[student['name']]} takes {formats.large(ours)} operations an image, "
        f"{times} teacher's {formats.large(theirs)}"
    )
    ours, theirs = (formats.number((row.get("bytes") or {}).get("dynamic")) for row in (student, teacher))
    if ours and theirs:
        said += f"; its file with 8-bit weights has {formats.size(ours)}, the teacher's {formats.size(theirs)}"
    spiking = student.get("timesteps") is not None
    return said + ("; --rivals sets an ANN of its shape beside it." if spiking and not compared else ".")


def _smaller(row: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    if not row.get("parameters") or not other.get("parameters"):
        return ""
    if row["parameters"] > other["parameters"]:
        return f"{row['parameters'] / other['parameters']:.1f} times as many parameters and "
    return f"{other['parameters'] / row['parameters']:.1f} times fewer parameters and "


def _compare(row: Mapping[str, Any], other: Mapping[str, Any], name: str, images: float | None) -> str:
    """0.83 points more accurate than `name` (3 of 360 test images)."""
    points = 100 * (row["accuracy"] - other["accuracy"])
    if round(points, 2) == 0:
        return f"exactly as accurate as {name}"
    counted = f" ({round(abs(points) * images / 100):,} of {images:,} test images)" if images else ""
    return f"{abs(points):.2f} points {'more' if points > 0 else 'less'} accurate than {name}{counted}"
