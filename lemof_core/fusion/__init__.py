"""Fusions: the levels of all modalities in, one prediction with its inner values out."""
