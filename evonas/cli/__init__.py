"""What the commands share: sessions, progress, exit codes."""
