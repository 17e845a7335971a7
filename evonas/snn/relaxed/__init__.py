"""Relaxed networks: all networks of the same fixed sizes in one, differentiable in every choice."""
