"""What the headers of tables mean: shown where a pointer rests on one, and in a list at the end of a page."""

from collections.abc import Mapping

_OPERATIONS = "A nonzero input times a nonzero weight, as NeuroBench counts them (arXiv:2304.04640)"
_ENERGY = "An estimate of the arithmetic for one image, without memory access"
_RUN = "of the time for one image, measured by running the file on the machine that is named at the end"

WORDS: Mapping[str, str] = {
    "accuracy": "Share of the test images put into their right class, measured once, after every choice was made on validation images. "
    "For a file, measured by running that file.",
    "RMSE": "Root of the mean squared error of the test images' numbers, in the unit of the labels.",
    "mean absolute error": "Mean distance of the test images' numbers from the right ones, in the unit of the labels.",
    "R²": "Share of the variance of the labels that the answers explain; 0 is who always says the mean, 1 the best.",
    "test accuracy": "Share of the test images put into their right class, the mean over seeds, with its standard deviation below.",
    "validation accuracy": "Share of the validation images put into their right class. The epoch was chosen on them too, so that it is a "
    "little higher than what new images will show.",
    "parameters": "Numbers that the training sets.",
    "T": "Time steps in which the network computes one image.",
    "spikes per image": "Of all neurons in all time steps, the mean over test images.",
    "size": "Bytes on disk; 1 kB is 1,000 bytes.",
    "as Keras": "Share of the test images that the file puts into the same class as the Keras model from which it was made.",
    "spikes differ": "The largest share in any layer, over its neurons, time steps and samples, of spikes that are not those of Keras.",
    "largest logit difference": "Between the file and Keras, over all samples and classes.",
    "1 thread": f"Median and 95th percentile {_RUN}; of a streaming file, of all its steps and of one.",
    "2 threads": f"Median and 95th percentile {_RUN}, with two threads.",
    "ms per image": f"Median {_RUN}.",
    "memory": "What the runtime holds beside the file; arena: what the network needs on a microcontroller.",
    "energy": f"{_ENERGY}: where zeros are skipped and, below, where nothing is, as on a CPU.",
    "energy, zeros skipped": f"{_ENERGY}, on hardware that computes only where a spike or a nonzero number arrives.",
    "energy, nothing skipped": f"{_ENERGY}, on hardware that computes with zeros as well, such as a CPU.",
    "dense operations": "Synaptic operations for one image if nothing were zero.",
    "effective MACs": f"{_OPERATIONS}, where the input is a real number: multiply-accumulates.",
    "effective ACs": f"{_OPERATIONS}, where the input is a spike: accumulates.",
    "operations per image": "Effective synaptic operations, MACs and ACs together, on validation images.",
    "firing rate": "Spikes divided by neuron-steps; a neuron-step is one neuron at one time step.",
    "silent": "Share of the neurons without one spike on these images.",
    "saturated": "Share of the neurons that spike at every step of every image.",
    "seeds": "How many times it was trained, each time with other initial weights, order of images and augmentation.",
    "difference (points)": "Accuracy minus that of the student alone with the same seed, in percentage points, the mean over seeds; below, "
    "its 95 % interval by Student's t.",
    "interval (95 %)": "With Student's t over the seeds.",
    "training time": "Of the training alone, on the machine that is named at the end.",
    "seconds": "Of training, the mean over seeds.",
}
"""By header of a column."""


def used(page: str) -> dict[str, str]:
    """The words that stand in a page's tables, in the order of `WORDS`."""
    return {word: meaning for word, meaning in WORDS.items() if f">{word}</abbr>" in page}
