"""What `train.py` does: a recipe made into a run, its modes, and the folders that a run leaves."""
