"""Run files: their form, what they name, and the run that they describe."""
