"""The paper's networks as data: names, layers and widths, without torch."""
