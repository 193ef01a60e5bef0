"""The command line: what a person types. Results go to standard output, all else to standard error."""
