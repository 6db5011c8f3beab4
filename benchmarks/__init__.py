"""Speed: the suite's training loop beside those that others would use for the same students."""
