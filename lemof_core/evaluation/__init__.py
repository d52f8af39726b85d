"""What predictions are worth: outcomes and probabilities as arrays in, numbers with intervals out.

No torch, no store, no page: jobs, pages, reports and notebooks call the same functions.
"""
