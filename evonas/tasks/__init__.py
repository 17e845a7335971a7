"""Tasks: what networks learn, one file each."""
