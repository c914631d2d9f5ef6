"""The commands, one module each; importing one imports nothing heavy."""
