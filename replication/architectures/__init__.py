"""The paper's networks as data: families, names and sizes, without torch."""
