"""Arrays in, predictions and their explanations out. Only `lemof_core.jobs` knows the store."""

__version__ = "0.1.0"
