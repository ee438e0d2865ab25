"""Whether the peers compute what we compute, so that equals are compared."""

from benchmarks import network
from benchmarks.contenders import Contender, ours, peers

STEPS = 3


def equality(library: str, batch: int = 8) -> Contender:
    """Train our conv4 and a peer's for some steps from the same weights on the same batch, and compare; nothing to be timed.

    Facts: the parameters of both; by step the difference of the losses as a share of ours; the largest difference of the logits in
    inference, with our trained weights in both, as a share of the largest of ours; and how much our logits differ between images, since
    networks that are silent would agree too.
    """
    model, images, labels = ours.trainable(batch)
    net = peers.conv4(library)
    peers.copy_weights(model, net)
    step = peers.trainable(net, images, labels)
    losses = [(float(model.train_on_batch(images, labels)), step()) for _ in range(STEPS)]

    for weight in model.weights:
        if weight.path.endswith("moving_variance"):
            weight.assign(0.1 * weight)  # after so few steps it is too near its start at 1, and the last neurons would be silent
    peers.copy_weights(model, net)
    expected, found = model.predict_on_batch(images), peers.logits(net, images)
    facts = {
        "parameters": [network.PARAMETERS, sum(parameter.numel() for parameter in net.parameters())],
        "loss differences": [abs(theirs - ours_) / ours_ for ours_, theirs in losses],
        "logits difference": float(abs(found - expected).max() / abs(expected).max()),
        "spread of our logits over images": float(expected.std(0).mean()),
    }
    return Contender(lambda: None, facts)
