"""Teachers that come with the package: a folder for each, and `shipped.py`, which finds them by name."""
