"""The page of a run, `report.html`: what it shows is made here, how it looks and answers lies in `assets`."""
