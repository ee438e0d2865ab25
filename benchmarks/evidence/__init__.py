"""What stands in docs/results: figures collected from runs into files, and pages and pictures made of these files."""
