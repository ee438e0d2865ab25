"""What any training needs, below models and distillation: devices and determinism."""
