"""A cohort with splits in, a fitted model out: encoders, levels, cross-attention, decision, in the paper's stages."""
