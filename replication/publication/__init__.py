"""Finished results as a small folder that can be published and deposited."""
