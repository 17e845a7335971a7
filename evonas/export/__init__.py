"""A network for the tools of chips: batch norms folded in, written as a file, read back and compared."""
