"""A run's folder: names, record, predictions, history and status; without torch."""
