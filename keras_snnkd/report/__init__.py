"""What a person looks at after a run: one self-contained page, and the final table for the terminal and for Markdown.

A run is plain JSON data. All parts but `models` may be missing, and so may any value in them; what is missing is left out::

    title, command, folder, machine: str      versions: {package: version}      seconds: float      notes: [str]
    dataset    {name, image_shape, num_classes, train, validation, test}, the last three numbers of images
    recipe     the resolved recipe
    models     [{name, role ("teacher", "assistant", "student"), label, taught_by, accuracy, validation_accuracy, parameters, timesteps,
               spikes_per_image, synaptic_operations {dense, effective_macs, effective_acs}, bytes {keras, float32, dynamic},
               exported_accuracy {float32, dynamic}, seconds, best_epoch (from 1, whose weights were kept)}]
    histories  {model: {val_accuracy, val_loss, ...}}, a number for each epoch
    activity   {model: what Activity.to_dict() gives}
    raster     {image, label, predicted, model, layers {layer: [T][N] of 0 and 1}, never_fire {layer: [silent, all]}}
    comparison [{name, label, taught_by, trust, source, loss, seeds [int], accuracies [float], accuracy, accuracy_sd, difference,
               interval [low, high], validation_accuracy, spikes_per_image, seconds, parameters}], what
               `keras_snnkd.run.comparing.ranking.ranked` gives: one row an arm, the most accurate first; the student alone has no
               difference
    sizes      [{factor, parameters, rows}], a comparison for each size of the student, whose rows `comparison` has too
    compression the rows of `models` that a student went through to become cheaper, first to last, each also with compressed_bytes,
               connection_sparsity, energy (what `Energy.to_dict` gives) and, if it was trained for a device that is not perfect,
               on_device {perfect, mean, sd, worst, draws}
    rivals     [{name, label, seeds, accuracies, accuracy, interval, bytes, milliseconds, energy, energy_dense, parameters}], the spiking
               student and its ANN twin as int8 files, with `verdict` [str]
    search     {tuner, space {setting: values}, limits {cost: limit}, candidates, front [name], chosen: name, chosen_recipe: path};
               candidates [{name, recipe, epochs, accuracy (on validation images), parameters, synaptic_operations, spikes_per_image,
               bytes, latency_ms (of the front), seconds, exceeded [str]}], in the order in which they were proposed
    exports    [{model, target, path, bytes, agreement, samples, test_agreement, test_images, max_logit_difference,
               spike_differences {layer: share}, operators {name: number}}]
"""

from keras_snnkd.report.card_page import write_card_page
from keras_snnkd.report.card_summary import card_summary
from keras_snnkd.report.compression import compression_markdown, compression_table
from keras_snnkd.report.page import write_report
from keras_snnkd.report.search import search_markdown, search_table
from keras_snnkd.report.sizes import larger_sentences
from keras_snnkd.report.summary import better_alone, summary, untaught
from keras_snnkd.report.table import comparison_markdown, comparison_table, markdown, rivals_table, table
from keras_snnkd.report.targets import target_markdown, target_table
from keras_snnkd.report.usage import usage_markdown

__all__ = [
    "better_alone",
    "card_summary",
    "comparison_markdown",
    "comparison_table",
    "compression_markdown",
    "compression_table",
    "larger_sentences",
    "markdown",
    "rivals_table",
    "search_markdown",
    "search_table",
    "summary",
    "table",
    "target_markdown",
    "target_table",
    "untaught",
    "usage_markdown",
    "write_card_page",
    "write_report",
]
