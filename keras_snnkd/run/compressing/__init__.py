"""What `--compress` and `--finetune` add to a run: stages that make a trained student cheaper."""
