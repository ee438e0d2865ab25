"""What is done with a trained model: measured, exported with all its files, given its card, or put among the package's teachers."""
