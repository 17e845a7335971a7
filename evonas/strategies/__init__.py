"""Strategies: what proposes the next network. One a file, each a pure function of the view that it is shown."""
