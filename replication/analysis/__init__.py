"""From predictions to tidy frames, statistics and verdicts."""
