"""The command line: `python train.py --dataset cifar10 --mode distill`."""

from keras_snnkd.cli.command import main

__all__ = ["main"]
