"""Speed and memory of keras_snnkd beside other packages and beside its floor, all in one call. See docs/benchmarks.md."""
