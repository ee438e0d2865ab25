"""A Flower app: members exchange outputs on public images, or weights."""
