"""Strategies propose the next network: one per file, each a pure function of the view that it is shown."""
