"""keras-tuner's searches, over the candidates that fit a budget, with files that a killed process cannot spoil."""

import contextlib
import io
import time
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras_tuner
from keras_tuner import Oracle
from keras_tuner.engine.base_tuner import BaseTuner
from keras_tuner.engine.trial import Trial
from keras_tuner.oracles import BayesianOptimizationOracle, HyperbandOracle
from threadpoolctl import threadpool_limits  # scikit-learn brings it

from keras_snnkd.errors import KDError, OutputError
from keras_snnkd.files.staging import write_json
from keras_snnkd.tuning.space import Space

SCORE = "score"
"""What is maximized: validation accuracy, less what a student costs too much."""

FACTOR = 3
"""Hyperband gives the better third of the candidates three times the epochs."""

COLLISIONS = 1000
"""Draws in a row that were tried before or do not fit the budget, after which the space counts as exhausted."""

ENDLESS = 1_000_000
"""The number of trials alone ends a search."""

Fits = Callable[[Mapping[str, Any]], bool]


class _Whole(Oracle):
    """An oracle that proposes what `fits` only, and whose files are there whole or not at all."""

    fits: Fits = staticmethod(lambda values: True)

    def save(self) -> None:
        write_json(self._get_oracle_fname(), self.get_state())

    def _save_trial(self, trial: Any) -> None:
        write_json(Path(self._get_trial_dir(trial.trial_id), "trial.json"), trial.get_state())

    def reload(self) -> None:
        for file in Path(self._project_dir).glob("trial_*/trial.json"):  # not found by its base in a path with brackets, a pattern there
            trial = Trial.load(str(file))
            self.trials[trial.trial_id] = trial
        super().reload()

    def _duplicate(self, values: dict[str, Any]) -> bool:
        return super()._duplicate(values) or not self.fits(_plain(values))


class _Hyperband(_Whole, HyperbandOracle):
    """Random candidates for few epochs; the better ones again for more."""


class _Bayesian(_Whole, BayesianOptimizationOracle):
    """The candidate that a Gaussian process expects most of; where that one is known or too large, a random one."""

    def populate_space(self, trial_id: str) -> Any:
        with warnings.catch_warnings(), threadpool_limits(1):  # its matrices are tiny, and threads cost more than they do
            warnings.filterwarnings("ignore", "The optimal value found for dimension|lbfgs failed to converge")  # few trials say little
            proposed = super().populate_space(trial_id)
        if proposed["values"] is not None and self._duplicate(proposed["values"]):
            return self._random_populate_space()
        return proposed


class Tuner(BaseTuner):
    """Trains what an oracle proposes.

    Args:
        kind: `"bayesian"` or `"hyperband"`.
        space: What may be proposed.
        trials: How many candidates at most.
        epochs: Of a candidate; with Hyperband, of the best.
        seed: Of the proposals.
        folder: Of keras-tuner's files.
        fits: Whether a candidate's values fit the budget.
        train: Trains a candidate, from its name, its values and epochs to its score.
    """

    def __init__(
        self,
        kind: str,
        space: Space,
        trials: int,
        epochs: int,
        seed: int,
        folder: Path,
        fits: Fits,
        train: Callable[[str, dict[str, Any], int], float],
    ) -> None:
        parameters = keras_tuner.HyperParameters()
        space.register(parameters)
        settings = {"objective": keras_tuner.Objective(SCORE, "max"), "hyperparameters": parameters, "seed": seed + 1}  # 0 is no seed there
        settings["max_consecutive_failed_trials"] = ENDLESS
        if kind == "hyperband":
            oracle = _Hyperband(max_epochs=epochs, factor=FACTOR, hyperband_iterations=ENDLESS, **settings)
            oracle.max_trials = trials  # Hyperband knows no such limit, its base does
        else:
            oracle = _Bayesian(max_trials=trials, num_initial_points=max(3, trials // 3), **settings)
        oracle.fits, oracle.verbose, oracle._max_collisions = fits, 0, COLLISIONS
        self._epochs, self._train = epochs, train
        self.trials = oracle.trials
        with contextlib.redirect_stdout(io.StringIO()):  # it says that it reloads
            super().__init__(oracle, directory=folder.parent, project_name=folder.name)
        self.save()  # only what was saved once is reloaded

    def run_trial(self, trial: Any) -> dict[str, float]:
        """The score of one candidate.

        Raises:
            keras_tuner.errors.FailedTrialError: If it cannot be trained; the search goes on with others.
            keras_tuner.errors.FatalError: For any other error, which is its cause and ends the search.
        """
        values = trial.hyperparameters.values
        try:
            score = self._train(trial.trial_id, _plain(values), int(values.get("tuner/epochs", self._epochs)))
        except OutputError as error:
            raise keras_tuner.errors.FatalError from error
        except KDError as error:
            raise keras_tuner.errors.FailedTrialError(str(error)) from error
        except Exception as error:
            raise keras_tuner.errors.FatalError from error
        return {SCORE: score}

    def pre_create_trial(self) -> None:
        if self._is_worker():
            time.sleep(0.2)  # it asks again and again while others train

    def save(self) -> None:
        if not self._is_worker():
            self.oracle.save()
        write_json(self._get_tuner_fname(), self.get_state())

    def _get_tuner_fname(self) -> str:
        """The same file whether the search runs alone or as the chief of others."""
        name = f"worker_{self.tuner_id}" if self._is_worker() else "tuner"
        return str(Path(self.project_dir, f"{name}.json"))


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    """A candidate's values without keras-tuner's own, as Python's numbers."""
    return {name: value.item() if hasattr(value, "item") else value for name, value in values.items() if not name.startswith("tuner/")}
