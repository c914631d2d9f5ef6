"""When work runs: what is due (pure) and the thread runner that does it."""
