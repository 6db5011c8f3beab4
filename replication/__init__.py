"""Replication suite of *Born-Again Neural Networks* (Furlanello et al., ICML 2018)."""

__version__ = "0.1.0"
