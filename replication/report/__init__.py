"""From frames to tables, figures and notebooks."""
