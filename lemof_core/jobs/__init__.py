"""The verbs of the command line as plain functions: where the store and the models meet, one verb a module."""
