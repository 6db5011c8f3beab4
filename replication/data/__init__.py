"""Data sets: what they hold, how they are prepared, read and augmented."""
