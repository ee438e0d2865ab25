"""What is to be reached: one table, read by everything that judges or shows a measurement."""

import dataclasses

AT_MOST, AT_LEAST = "at most", "at least"


@dataclasses.dataclass(frozen=True)
class Target:
    """A measurement and its limit.

    Args:
        title: What is measured, as a reader sees it.
        comparison: `"at most"` or `"at least"`.
        limit: The limit; `None` for a measurement without one.
        unit: `"x"` for a ratio, `"s"` for seconds.
    """

    title: str
    comparison: str = AT_MOST
    limit: float | None = None
    unit: str = "x"

    def met(self, value: float) -> bool | None:
        """Whether `value` keeps the limit; `None` where there is no limit."""
        if self.limit is None:
            return None
        return value <= self.limit if self.comparison == AT_MOST else value >= self.limit

    @property
    def text(self) -> str:
        """The limit in words, such as "at most 1.12 x"."""
        return f"{self.comparison} {self.limit:g} {self.unit}" if self.limit is not None else ""


TARGETS = {
    "equality_spikingjelly": Target("loss of SpikingJelly's network against ours, three steps: largest difference", AT_MOST, 0.01, ""),
    "equality_snntorch": Target("loss of snnTorch's network against ours, three steps: largest difference", AT_MOST, 0.01, ""),
    "training_fp32_floor": Target("training step, fp32 / its convolutions alone", AT_MOST, 1.12),
    "training_fp32_peers": Target("training step, fp32: best peer / keras_snnkd", AT_LEAST, 1.7),
    "training_bf16_floor": Target("training step, bf16 / its convolutions alone", AT_MOST, 1.25),
    "training_bf16_peers": Target("training step, bf16: best peer / keras_snnkd", AT_LEAST, 1.5),
    "training_fp32_jax": Target("training step, fp32: on JAX / on TensorFlow"),
    "training_bf16_jax": Target("training step, bf16: on JAX / on TensorFlow"),
    "rates_fp32_floor": Target("training step by rates, fp32 / convolutions of backpropagation through time alone", AT_MOST, 0.60),
    "rates_fp32_bptt": Target("training step, fp32: backpropagation through time / by rates", AT_LEAST),
    "rates_fp32_peers": Target("training step by rates, fp32: best peer / keras_snnkd", AT_LEAST, 1.7),
    "rates_bf16_floor": Target("training step by rates, bf16 / convolutions of backpropagation through time alone", AT_MOST, 0.60),
    "rates_bf16_bptt": Target("training step, bf16: backpropagation through time / by rates", AT_LEAST),
    "rates_bf16_peers": Target("training step by rates, bf16: best peer / keras_snnkd", AT_LEAST, 1.7),
    **{
        f"{network}_{precision}_{timesteps}_{other}": Target(f"{network}, {precision}, T = {timesteps}: {words} / by rates", AT_LEAST)
        for network in ("conv4", "resnet18")
        for precision in ("fp32", "bf16")
        for timesteps in (2, 4, 8)
        for other, words in (("bptt", "backpropagation through time"), ("peer", "SpikingJelly"))
    },
    "inference_fp32_floor": Target("inference, fp32 / its convolutions alone", AT_MOST, 1.10),
    "inference_fp32_peers": Target("inference, fp32: best peer / keras_snnkd", AT_LEAST, 1.9),
    "inference_bf16_floor": Target("inference, bf16 / its convolutions alone", AT_MOST, 1.10),
    "inference_bf16_peers": Target("inference, bf16: best peer / keras_snnkd", AT_LEAST, 2.2),
    "distillation_live": Target("distillation step / (teacher forward + student step)", AT_MOST, 1.05),
    "distillation_cached": Target("distillation step with a warm teacher cache / student step", AT_MOST, 1.10),
    "distillation_peers": Target("distillation step: SpikingJelly / keras_snnkd", AT_LEAST),
    "recipe_live": Target("distilling on CIFAR-10, images to step, live teacher: SpikingJelly / keras_snnkd", AT_LEAST, 1.5),
    "recipe_rates": Target("distilling on CIFAR-10 by rates, images to step, live teacher: SpikingJelly / keras_snnkd", AT_LEAST, 1.5),
    "recipe_cached": Target("distilling on CIFAR-10, images to step, cached teacher: SpikingJelly / keras_snnkd", AT_LEAST, 1.5),
    "memory_growth": Target("training memory a time step / SpikingJelly's", AT_MOST, 0.5),
    "memory_growth_rates": Target("training memory a time step, by rates / SpikingJelly's", AT_MOST, 0.15),
    "memory_growth_remat": Target("training memory a time step, rematerialized / SpikingJelly's", AT_MOST, 0.25),
    "scaling_timesteps": Target("training step against T: R² of a straight line", AT_LEAST, 0.99, ""),
    "scaling_batch": Target("training step against batch: R² of a straight line", AT_LEAST, 0.99, ""),
    "scaling_width": Target("training step against operations at widths x 0.5, 1, 2: R² of a straight line", AT_LEAST, None, ""),
    "import_seconds": Target("import keras_snnkd, beyond importing keras", AT_MOST, 0.3, "s"),
    "start_seconds": Target("train.py on digits: from the start to the end of a first epoch of one step", AT_MOST, 15, "s"),
    "edge_dynamic": Target("edge latency: float32 file / dynamic int8 file", AT_LEAST, 2.0),
    "edge_peers": Target("edge latency: SpikingJelly on the CPU / dynamic int8 file", AT_LEAST, 4.0),
    "edge_streaming": Target("edge latency: SpikingJelly on the CPU / T calls of the dynamic int8 file of one step"),
    "edge_student_dynamic": Target("edge latency, a student: float32 file / dynamic int8 file", AT_LEAST, 2.0),
    "edge_student_peers": Target("edge latency, a student: SpikingJelly on the CPU / dynamic int8 file", AT_LEAST, 4.0),
    "edge_student_streaming": Target("edge latency, a student: SpikingJelly on the CPU / T calls of the dynamic int8 file of one step"),
    **{
        f"series_{neuron}_{steps}": Target(f"training step of series, {name}, T = {steps}: best peer / keras_snnkd", AT_LEAST, limit)
        for neuron, name, limit in (("lif", "LIF", 2.0), ("adlif", "AdLIF", 2.0), ("rlif", "recurrent LIF", 1.5))
        for steps in (100, 250)
    },
    **{
        f"series_memory_{neuron}": Target(f"training memory of series a time step, {name} / SpikingJelly's", AT_MOST, 0.5)
        for neuron, name in (("lif", "LIF"), ("adlif", "AdLIF"), ("rlif", "recurrent LIF"))
    },
    "input_pipeline": Target("fit on augmented CIFAR-10 / on one fixed batch", AT_MOST),
}
