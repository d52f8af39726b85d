"""One module per schema version, in order; a released one is never changed."""
