"""Checks whether results follow from each other."""
