"""The jobs: what is due, what is given up, the thread runner."""
