"""File formats: bytes of a file to arrays. The readers beside this folder make data sets of them."""
