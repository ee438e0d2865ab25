"""Networks for series, ours and the peers': dense 128 - neurons - dense 128 - neurons - dense 10, mean over time, without batch norm.

The dense layers run on all time steps at once everywhere; peers that are recurrent go through time in a loop, as the libraries' own
recurrent layers do. SpikingJelly and snnTorch have no neuron with an adaptation current: their AdLIF is sparch's loop in PyTorch
(Bittar and Garner, 2022), with the library's surrogate. Time constants are 20 steps; ours of RLIF and AdLIF are learned besides.
"""

from typing import Any

from benchmarks.contenders import Contender, ours, peers

CHANNELS, WIDTH, BATCH, CLASSES, TAU = 40, 128, 64, 10, 20.0

SETTINGS = ("plain", "compiled step", "compiled")
"""Of the peers: as it is; a compiled step that is called T times; the whole network compiled, which takes minutes where T is long."""

QUICK_SETTINGS = SETTINGS[:2]

NEURONS = ("lif", "adlif", "rlif")


def training(neuron: str, timesteps: int) -> Contender:
    """A training step of ours, by what `fit` runs."""
    kd = ours._import()
    import keras

    series = keras.Input((timesteps, CHANNELS))
    more: dict[str, Any] = {"tau": TAU} if neuron == "lif" else {}
    x = series
    for _ in range(2):
        x = kd.neurons.get(neuron)(**more)(kd.layers.OverTime(keras.layers.Dense(WIDTH))(x))
    x = kd.layers.MeanOverTime()(kd.layers.OverTime(keras.layers.Dense(CLASSES))(x))
    model = keras.Model(series, x)
    ours._compile(model)
    return Contender(ours._train_function(model, ours._endless(*_batch(timesteps))), ours._facts(model))


def peer(library: str, neuron: str, timesteps: int, settings: tuple[str, ...] = SETTINGS) -> Contender:
    """A training step of a peer, in the fastest of `settings`."""
    torch = peers._torch()
    x, labels = _batch(timesteps)
    x, labels = torch.from_numpy(x).transpose(0, 1).contiguous(), torch.from_numpy(labels).long()

    def prepare(setting):
        torch.manual_seed(0)
        torch.compiler.reset()
        net = _network(library, neuron, compiled=setting == "compiled step")
        run = torch.compile(net) if setting == "compiled" else net
        optimizer = peers._optimizer(net.parameters())

        def step():
            net.forget()
            loss = torch.nn.functional.cross_entropy(run(x), labels)
            return peers._descend(optimizer, loss)

        return step, net

    return peers.fastest(prepare, settings)


def _batch(timesteps):
    import numpy as np

    random = np.random.default_rng(0)
    return random.normal(size=(BATCH, timesteps, CHANNELS)).astype("float32"), random.integers(0, CLASSES, BATCH).astype("int32")


def _network(library: str, neuron: str, compiled: bool):
    """The network as a `torch.nn.Module`, series `[T, B, C]` to logits `[B, classes]`; call `forget` before each batch."""
    nn = peers._torch().nn
    surrogate = _surrogate(library)
    layer = {"lif": _lif, "rlif": _rlif, "adlif": _adlif}[neuron]

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.dense = nn.ModuleList(nn.Linear(before, WIDTH) for before in (CHANNELS, WIDTH))
            self.neurons = nn.ModuleList(layer(library, surrogate, compiled) for _ in self.dense)
            self.classifier = nn.Linear(WIDTH, CLASSES)

        def forward(self, x):
            for dense, neurons in zip(self.dense, self.neurons, strict=True):
                x = neurons(dense(x))
            return self.classifier(x).mean(0)

        def forget(self):
            if library == "spikingjelly":
                from spikingjelly.activation_based import functional

                functional.reset_net(self)

    return Net()


def _surrogate(library: str):
    """ATan, from the library."""
    if library == "spikingjelly":
        from spikingjelly.activation_based import surrogate

        return surrogate.ATan(2.0)
    from snntorch import surrogate

    return surrogate.atan(alpha=2.0)


def _lif(library: str, surrogate, compiled: bool):
    if library == "spikingjelly" and not compiled:
        return _spikingjelly_lif(surrogate, "m")
    return _over_time(_step(library, surrogate), compiled)


def _rlif(library: str, surrogate, compiled: bool):
    torch = peers._torch()
    step = _step(library, surrogate)

    class Recurrent(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.step, self.back = step, torch.nn.Linear(WIDTH, WIDTH, bias=False)

        def forward(self, x, spikes, membrane):
            return self.step(x + self.back(spikes), spikes, membrane)

    return _over_time(Recurrent(), compiled)


def _adlif(library: str, surrogate, compiled: bool):
    torch = peers._torch()

    class AdLIF(torch.nn.Module):
        """One step by the equations of `keras_snnkd.neurons.AdLIF`; the state is potential and adaptation, one behind the other."""

        def __init__(self):
            super().__init__()
            starts = {"alpha": (0.82, 0.96), "beta": (0.967, 0.992), "a": (-1.0, 1.0), "b": (0.0, 2.0)}
            self.limits = starts
            for name, limits in starts.items():
                setattr(self, name, torch.nn.Parameter(torch.empty(WIDTH).uniform_(*limits)))

        def forward(self, x, spikes, state):
            alpha, beta, a, b = (torch.clamp(getattr(self, name), *limits) for name, limits in self.limits.items())
            u, w = state.unbind(0)
            w = beta * w + a * u + b * spikes
            u = alpha * (u - spikes) + (1 - alpha) * (x - w)
            return surrogate(u - 1.0), torch.stack([u, w])

    return _over_time(AdLIF(), compiled, states=2)


def _step(library: str, surrogate):
    """A step of LIF, `(x, spikes, membrane) -> (spikes, membrane)`."""
    torch = peers._torch()
    if library == "snntorch":
        import snntorch
        from snntorch import surrogate as surrogates

        scaled = surrogates.atan(alpha=2.0 / TAU)

        class Leaky(torch.nn.Module):
            """Fires and learns as ``v += (x - v) / tau`` does: see `peers._snntorch`."""

            def __init__(self):
                super().__init__()
                self.neuron = snntorch.Leaky(beta=1 - 1 / TAU, threshold=TAU, reset_mechanism="zero", spike_grad=scaled)

            def forward(self, x, spikes, membrane):
                return self.neuron(x, membrane)

        return Leaky()
    neuron = _spikingjelly_lif(surrogate, "s")

    class Single(torch.nn.Module):
        """SpikingJelly's equations with the state handed on, so that a step is a function that can be compiled."""

        def forward(self, x, spikes, membrane):
            h = membrane + (x - membrane) / neuron.tau
            spikes = surrogate(h - neuron.v_threshold)
            return spikes, h * (1 - spikes.detach())

    return Single()


def _spikingjelly_lif(surrogate, mode: str):
    from spikingjelly.activation_based import neuron

    return neuron.LIFNode(tau=TAU, v_threshold=1.0, v_reset=0.0, surrogate_function=surrogate, detach_reset=True, step_mode=mode)


def _over_time(step, compiled: bool, states: int = 1):
    torch = peers._torch()

    class OverTime(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.step = step
            self.run = torch.compile(step) if compiled else step

        def forward(self, x):
            spikes = torch.zeros_like(x[0])
            state = spikes if states == 1 else torch.zeros(states, *x.shape[1:])
            train = []
            for current in x.unbind(0):
                spikes, state = self.run(current, spikes, state)
                train.append(spikes)
            return torch.stack(train)

    return OverTime()


def parameters(neuron: str) -> int:
    """Trainable weights of ours."""
    dense = CHANNELS * WIDTH + WIDTH * WIDTH + 2 * WIDTH + WIDTH * CLASSES + CLASSES
    return dense + 2 * {"lif": 0, "adlif": 4 * WIDTH, "rlif": WIDTH + WIDTH * WIDTH}[neuron]
