"""The results of runs and sweeps, as tables, HTML and rankings."""
