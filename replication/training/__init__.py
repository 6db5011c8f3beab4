"""One training: data, network, teacher, loop, checkpoints, run folder."""
