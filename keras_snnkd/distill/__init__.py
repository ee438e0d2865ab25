"""Distillation: taps, objectives, the distiller and chains of stages. Knows Keras models, not neurons."""
