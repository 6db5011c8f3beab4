"""From tables, a scale and seeds to the runs to train; without torch."""
