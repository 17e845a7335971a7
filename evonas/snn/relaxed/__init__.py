"""Relaxed networks: all networks of some sizes as one that gradients can search."""
