"""conv4 in SpikingJelly and in snnTorch, on PyTorch, each in the fastest of several settings.

Both get the same network, in which everything but the neurons is PyTorch's own and runs once on all time steps (SpikingJelly's step mode
"m"; snnTorch's examples call the whole network in each step, which is slower). The settings tried are the memory layout `channels_last`,
for inference batch norm folded into the convolutions, and `torch.compile`. Precision bf16 is PyTorch's autocast.
"""

import functools
import os
import statistics

from benchmarks import network
from benchmarks.contenders import Contender, UnavailableError, clock, resnet18

TRAINING_SETTINGS = ("plain", "channels_last", "compiled")
INFERENCE_SETTINGS = ("plain", "channels_last", "folded", "compiled")
"""The later ones include those before."""


def training(
    library: str,
    precision: str = "fp32",
    timesteps: int = network.TIMESTEPS,
    batch: int = network.BATCH,
    settings: tuple[str, ...] = TRAINING_SETTINGS,
    widths: tuple | str = network.CONV4,
) -> Contender:
    """One training step, in the fastest of `settings`."""

    def prepare(setting):
        net, run, (images, labels) = _prepare(library, setting, widths, timesteps, batch)
        return _training_step(net, run, images, labels, precision), net

    return fastest(prepare, settings)


def inference(
    library: str,
    precision: str = "fp32",
    batch: int = network.BATCH,
    settings: tuple[str, ...] = INFERENCE_SETTINGS,
    widths: tuple = network.CONV4,
) -> Contender:
    """Logits of one batch, in the fastest of `settings`."""
    torch = _torch()

    def prepare(setting):
        net, run, (images, _) = _prepare(library, setting, widths, network.TIMESTEPS, batch, inference=True)

        def step():
            net.forget()
            with torch.inference_mode(), _autocast(precision):
                return run(images)[0].float().numpy()

        return step, net

    return fastest(prepare, settings)


def distillation(library: str, settings: tuple[str, ...] = TRAINING_SETTINGS) -> Contender:
    """A training step of the small student taught by conv4, written as usual.

    The teacher runs in eval mode without gradients. The loss adds to the cross-entropy the Kullback-Leibler divergence of the softened
    logits, and the mean squared difference of the last neurons' rates in windows of time; as in our `SpikeTrain`, a projection brings the
    student's channels to the teacher's.
    """
    torch = _torch()
    functional = torch.nn.functional

    def prepare(setting):
        teacher, teach, (images, labels) = _prepare(library, setting, network.CONV4, inference=True, fold=False)
        student, run, _ = _prepare(library, setting, network.STUDENT)
        widths = [[width for width in widths if width != "pool"][-1] for widths in (network.STUDENT, network.CONV4)]
        projection = torch.nn.Linear(*widths, bias=False)
        optimizer = _optimizer([*student.parameters(), *projection.parameters()])

        def step():
            teacher.forget()
            student.forget()
            with torch.no_grad():
                targets, target_spikes = teach(images)
            logits, spikes = run(images)
            soft = functional.kl_div(
                functional.log_softmax(logits / network.TEMPERATURE, -1),
                functional.softmax(targets / network.TEMPERATURE, -1),
                reduction="batchmean",
            )
            rates, target_rates = (x.unflatten(0, (-1, network.WINDOW)).mean(1).movedim(2, -1) for x in (spikes, target_spikes))
            loss = functional.cross_entropy(logits, labels) + network.SOFT_WEIGHT * network.TEMPERATURE**2 * soft
            return _descend(optimizer, loss + functional.mse_loss(projection(rates), target_rates))

        return step, student

    return fastest(prepare, settings)


def conv4(library: str, widths: tuple = network.CONV4, timesteps: int = network.TIMESTEPS):
    """The network as a `torch.nn.Module`: images `[B, 3, 32, 32]` to logits `[B, 10]` and the last neurons' spikes `[T, B, C, H, W]`.

    Call its method `forget` before each batch.
    """
    torch = _torch()
    nn = torch.nn
    make_neuron, reset = {"spikingjelly": _spikingjelly, "snntorch": _snntorch, "relu": _relu}[library]()

    class Conv4(nn.Module):
        def __init__(self):
            super().__init__()
            sizes = [(before, after) for _, before, after in network.convolutions(widths)]
            momentum = 1 - network.BATCH_NORM_MOMENTUM
            self.convs = nn.ModuleList(nn.Conv2d(before, after, 3, padding=1, bias=False) for before, after in sizes)
            self.norms = nn.ModuleList(nn.BatchNorm2d(after, network.BATCH_NORM_EPSILON, momentum) for _, after in sizes)
            self.neurons = nn.ModuleList(make_neuron() for _ in sizes)
            self.classifier = nn.Linear(sizes[-1][1], network.CLASSES)
            self.pooled = network.pooled(widths)

        def forward(self, x):
            for index, (conv, norm, neuron, pool) in enumerate(zip(self.convs, self.norms, self.neurons, self.pooled, strict=True)):
                x = norm(conv(x))
                spikes = neuron(x.unflatten(0, (timesteps, -1)) if index else x.unsqueeze(0).expand(timesteps, *x.shape))
                x = spikes.flatten(0, 1)
                if pool:
                    x = nn.functional.max_pool2d(x, 2)
            return self.classifier(x.mean((2, 3))).unflatten(0, (timesteps, -1)).mean(0), spikes

        def forget(self):
            reset(self)

    torch.manual_seed(0)
    return Conv4()


def copy_weights(model, net) -> None:
    """Give a network of `conv4` the weights of our Keras model; layouts differ, the order of the layers does not."""
    torch = _torch()
    weights = [(weight.path.rsplit("/", 1)[-1], torch.tensor(weight.numpy())) for weight in model.weights]

    def named(name):
        return [tensor for path, tensor in weights if path == name]

    *kernels, classifier = named("kernel")
    with torch.no_grad():
        for conv, kernel in zip(net.convs, kernels, strict=True):
            conv.weight.copy_(kernel.permute(3, 2, 0, 1))
        for ours, theirs in (("gamma", "weight"), ("beta", "bias"), ("moving_mean", "running_mean"), ("moving_variance", "running_var")):
            for norm, tensor in zip(net.norms, named(ours), strict=True):
                getattr(norm, theirs).copy_(tensor)
        net.classifier.weight.copy_(classifier.T)
        net.classifier.bias.copy_(named("bias")[-1])


def trainable(net, images, labels):
    """What takes one training step of a network of `conv4` on arrays in our layout `[B, H, W, C]`, and returns the loss before it."""
    torch = _torch()
    return _training_step(net.train(), net, torch.from_numpy(images).movedim(-1, 1), torch.from_numpy(labels).long(), "fp32")


def logits(net, images):
    """The logits of a network of `conv4` in inference, for an array in our layout, as an array."""
    torch = _torch()
    net.eval().forget()
    with torch.inference_mode():
        return net(torch.from_numpy(images).movedim(-1, 1))[0].numpy()


def _torch():
    """PyTorch with as many threads as this process was given."""
    import torch

    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", 2)))
    return torch


def _spikingjelly():
    from spikingjelly.activation_based import functional, neuron, surrogate

    def make():
        return neuron.LIFNode(
            tau=2.0, v_threshold=1.0, v_reset=0.0, surrogate_function=surrogate.ATan(2.0), detach_reset=True, step_mode="m"
        )

    return make, functional.reset_net


def _snntorch():
    """`Leaky` does not scale its input: v = v/2 + x. With the threshold 2 (and half the surrogate's alpha) it fires and learns as
    v = v/2 + x/2 does with the threshold 1, without a pass over the input."""
    import snntorch
    import torch
    from snntorch import surrogate

    class Leaky(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.step = snntorch.Leaky(beta=0.5, threshold=2.0, reset_mechanism="zero", spike_grad=surrogate.atan(alpha=1.0))

        def forward(self, x):
            membrane, train = torch.zeros_like(x[0]), []
            for current in x.unbind(0):
                spikes, membrane = self.step(current, membrane)
                train.append(spikes)
            return torch.stack(train)

    return Leaky, lambda net: None


def _relu():
    """An ANN, with one time step."""
    return _torch().nn.ReLU, lambda net: None


def _prepare(library, setting, widths=network.CONV4, timesteps=network.TIMESTEPS, batch=network.BATCH, inference=False, fold=True):
    """The network, what to call to run it, and a batch, all in `setting`."""
    torch = _torch()
    make = resnet18.network_of if widths == network.RESNET18 else functools.partial(conv4, widths=widths)
    net = make(library, timesteps=timesteps).train(not inference)
    images = torch.rand(batch, network.CHANNELS, network.SIZE, network.SIZE)
    labels = torch.randint(0, network.CLASSES, (batch,))
    if setting != "plain":
        net, images = net.to(memory_format=torch.channels_last), images.contiguous(memory_format=torch.channels_last)
    if inference and fold and setting in ("folded", "compiled"):
        for index, (conv, norm) in enumerate(zip(net.convs, net.norms, strict=True)):
            net.convs[index], net.norms[index] = torch.nn.utils.fuse_conv_bn_eval(conv, norm), torch.nn.Identity()
    return net, torch.compile(net) if setting == "compiled" else net, (images, labels)


def _training_step(net, run, images, labels, precision):
    torch = _torch()
    optimizer = _optimizer(net.parameters())

    def step():
        net.forget()
        with _autocast(precision):
            loss = torch.nn.functional.cross_entropy(run(images)[0].float(), labels)
        return _descend(optimizer, loss)

    return step


def _optimizer(parameters):
    return _torch().optim.SGD(parameters, network.LEARNING_RATE, network.MOMENTUM)


def _descend(optimizer, loss):
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def _autocast(precision):
    torch = _torch()
    return torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision == "bf16")


def fastest(prepare, settings):
    """Prepare each setting, try them in turn, and keep the fastest; a setting that fails is left out, and why is kept.

    A single setting is taken as it is, without a step.
    """
    steps, nets, failed = {}, {}, {}
    for setting in settings:
        try:
            steps[setting], nets[setting] = prepare(setting)
            if len(settings) > 1:
                for _ in range(3):
                    steps[setting]()
        except (RuntimeError, ImportError, AssertionError) as error:
            if isinstance(error, ModuleNotFoundError) and error.name in ("torch", "spikingjelly", "snntorch"):
                raise
            failed[setting] = f"{type(error).__name__}: {error}"[:200]
            steps.pop(setting, None)
    if not steps:
        raise UnavailableError(f"no setting works: {failed}")
    tried = _try_in_turn(steps) if len(steps) > 1 else {}
    best = min(steps, key=tried.get) if tried else next(iter(steps))
    facts = {"setting": best, "parameters": sum(parameter.numel() for parameter in nets[best].parameters())}
    return Contender(steps[best], {**facts, **({"tried, s": tried} if tried else {}), **({"failed": failed} if failed else {})})


def _try_in_turn(steps):
    """The median seconds of each step."""
    seconds = {setting: [] for setting in steps}
    for _ in range(5):
        for setting, step in steps.items():
            start = clock()
            step()
            seconds[setting].append(clock() - start)
    return {setting: statistics.median(found) for setting, found in seconds.items()}
