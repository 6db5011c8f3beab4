"""Training: one trainer for images, one for language models, and what they share."""
