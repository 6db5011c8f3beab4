"""The documentation and the published results as a static site."""
