"""Weights of models: moved between networks, rounded for 8-bit files, folded into kernels."""
