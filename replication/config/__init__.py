"""The YAML files as checked models: scales, the paper's tables and claims."""
