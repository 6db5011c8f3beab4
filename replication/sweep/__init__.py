"""What the runs of a plan cost, and how far they are."""
