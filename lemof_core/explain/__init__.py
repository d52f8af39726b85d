"""A fitted model and samples in, explanations out: four games with four names, and where the attention looked."""
