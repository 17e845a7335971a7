"""What a run has found, as tables, pages and rankings."""
