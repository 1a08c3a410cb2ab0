"""X/Y/Z plots: one workflow run at every combination of some inputs' values."""
