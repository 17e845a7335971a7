"""What the commands share: exit codes, sessions, log, progress, dry run."""
