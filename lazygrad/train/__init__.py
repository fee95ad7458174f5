"""Training loops: progress, checkpoints, interruption and loss curves."""
