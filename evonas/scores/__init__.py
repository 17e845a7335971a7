"""Scores of networks that were never trained: one a file, each a function `score(network, inputs)`."""
