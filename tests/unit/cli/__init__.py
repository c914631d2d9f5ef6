"""The command line, in this process, over memory servers."""
