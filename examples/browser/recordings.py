"""Write the recordings that the page plays: `python examples/browser/recordings.py smartwatch_exercises.npz`.

One of each exercise, twelve seconds, of the people who are the test of examples/wrist.
"""

import json
import sys
from pathlib import Path

import numpy as np

PEOPLE = (9, 10)
RATE = 50
"""Samples in a second."""

LENGTH = 600
"""Samples of a recording; those of its first second are left out, in which the arm is still."""

NAMES = {
    "PEN": "pendulum",
    "ABD": "abduction",
    "FEL": "elevation",
    "IR": "inward rotation",
    "ER": "outward rotation",
    "TRAP": "trapezius",
    "ROW": "row",
}
"""The exercises, as the classes of the data set are named in the paper."""


def recordings(file: Path) -> dict[str, object]:
    """What the page reads."""
    with np.load(file) as arrays:
        starts = np.concatenate([[0], np.cumsum(arrays["lengths"])])
        found = []
        for label, name in enumerate(arrays["class_names"]):
            person = PEOPLE[label % len(PEOPLE)]
            number = np.flatnonzero((arrays["labels"] == label) & (arrays["subjects"] == person))[0]
            values = arrays["values"][starts[number] + RATE :][:LENGTH]
            found.append({"exercise": NAMES[str(name)], "person": person, "values": np.round(values.astype("float64"), 3).tolist()})
        return {"rate": RATE, "exercises": [NAMES[str(name)] for name in arrays["class_names"]], "recordings": found}


if __name__ == "__main__":
    Path(__file__).with_name("recordings.json").write_text(json.dumps(recordings(Path(sys.argv[1])), separators=(",", ":")) + "\n")
