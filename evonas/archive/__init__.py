"""Every evaluation on disk, and what is read from it."""
