"""Servers that say anything: hypothesis in every run, atheris for minutes in the full one."""
