"""Command line of keras_snnkd; see `python train.py --help`."""

from keras_snnkd.cli import main

raise SystemExit(main())
