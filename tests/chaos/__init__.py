"""Faults on purpose: `python -m tests.chaos` breaks what it started, and counts what is lost and what is doubled."""
