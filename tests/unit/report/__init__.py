"""The facts and their renderings."""
