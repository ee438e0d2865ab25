"""Outputs against weights over several seeds: the members and the server of the app, one after another in one process, without Flower.

    python examples/federated/seeds.py --seeds 3 --out runs/federated_seeds weights.learning_rate=0.01 outputs.epochs=5

Members and rounds are those of the app on Flower; only the messages go from one to the other here, so that no process has to start anew for
each of them. Prints and writes `results.json`: test
accuracy after the last round and all bytes exchanged, of both kinds of exchange, and the difference of accuracy with its 95 % interval,
paired by seed. Settings may be of one kind alone (`weights.` or `outputs.` before the name). A run that was interrupted goes on.
"""

import argparse
import json
import statistics
from pathlib import Path
from typing import Any

from keras_snnkd.federated import OutputMember, OutputRounds, Setting, WeightMember, WeightRounds
from keras_snnkd.files.staging import write_json
from keras_snnkd.run.intervals import paired

EXCHANGES = ("weights", "outputs")


def federation(setting: Setting, folder: Path) -> list[dict[str, Any]]:
    """All rounds of a federation; what happened in each."""
    outputs = setting.exchange == "outputs"
    rounds = (OutputRounds if outputs else WeightRounds)(setting, folder)
    if rounds.next > setting.rounds:
        return rounds.record
    kind = OutputMember if outputs else WeightMember
    members = [kind(setting, number, folder / f"member_{number}") for number in range(setting.members)]
    while rounds.next <= setting.rounds:
        sent = rounds.message()
        answers = [member.round(rounds.next, sent) for member in members]
        used = rounds.put_together(answers)
        down, up = (len(sent or b""), map(len, answers)) if outputs else (_bytes(sent), [_bytes(weights) for weights, _ in answers])
        rounds.finish([down] * len(answers), list(up), lost=setting.members - used)
    return rounds.record


def _bytes(arrays: list[Any]) -> int:
    return sum(array.nbytes for array in arrays)


def summary(found: dict[str, list[list[dict[str, Any]]]]) -> dict[str, Any]:
    """Of the rounds of each seed: accuracies after the last one, bytes, and how far outputs are from weights."""
    accuracies = {exchange: [rounds[-1]["accuracy"] for rounds in seeds] for exchange, seeds in found.items()}
    exchanged = {
        exchange: [sum(row["bytes_sent"] + row["bytes_received"] for row in rounds) for rounds in seeds]
        for exchange, seeds in found.items()
    }
    difference, interval = paired(accuracies["outputs"], accuracies["weights"])
    return {
        "accuracies": accuracies,
        "means": {exchange: statistics.mean(values) for exchange, values in accuracies.items()},
        "difference": {"mean": difference, "interval": interval},
        "bytes": {exchange: round(statistics.mean(values)) for exchange, values in exchanged.items()},
        "share_of_bytes": statistics.mean(exchanged["outputs"]) / statistics.mean(exchanged["weights"]),
    }


def main(arguments: list[str] | None = None) -> dict[str, Any]:
    """Read the command line, run all federations, and write what came out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/federated_seeds"))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument(
        "settings", nargs="*", help="key=value, of keras_snnkd.federated.Setting; weights.key=value is of that exchange alone"
    )
    given = parser.parse_args(arguments)
    settings = {name: _value(value) for name, _, value in (part.partition("=") for part in given.settings)}
    found: dict[str, list[list[dict[str, Any]]]] = {exchange: [] for exchange in EXCHANGES}
    for seed in range(given.seeds):
        for exchange in EXCHANGES:
            setting = Setting.from_config({**_of(exchange, settings), "exchange": exchange, "seed": seed})
            found[exchange].append(federation(setting, given.out / f"{exchange}_{seed}"))
            print(f"{exchange}, seed {seed}: {found[exchange][-1][-1]['accuracy']:.2%}", flush=True)
    results = {"setting": settings, **summary(found)}
    write_json(given.out / "results.json", results)
    print(json.dumps(results, indent=1))
    return results


def _of(exchange: str, settings: dict[str, Any]) -> dict[str, Any]:
    """The settings of all exchanges and of this one."""
    common = {name: value for name, value in settings.items() if name.partition(".")[0] not in EXCHANGES}
    return {**common, **{name.partition(".")[2]: value for name, value in settings.items() if name.startswith(f"{exchange}.")}}


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


if __name__ == "__main__":
    main()
