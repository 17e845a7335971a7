"""Fuzzers of everything that reads what others wrote: `PYTHONPATH=tests python -m fuzz`, or `make fuzz`."""
