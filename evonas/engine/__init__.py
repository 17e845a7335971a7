"""The search: jobs, rows, the loop in virtual time, workers. It knows no disk, no torch and no chip."""
