"""Where and how a training runs: locks, signals, devices, precision, fork server."""
