"""`python -m lemof_core`: the command line."""

from lemof_core.jobs.cli import main

main()
