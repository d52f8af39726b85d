"""The paper's tables, measured: cells (one fitted model each) in, small result files with intervals out."""
