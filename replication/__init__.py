"""Replication suite of *Born-Again Neural Networks* (Furlanello et al., ICML 2018)."""

from typing import Any

__version__ = "0.2.0"


def __getattr__(name: str) -> Any:
    """`replication.distill` and what it returns; torch is imported when they are asked for."""
    if name in ("distill", "Trained"):
        from replication.training import distill

        return getattr(distill, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
