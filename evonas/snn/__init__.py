"""Spiking networks, their plans and their exact counts; the only package that knows Norse.

`dynamics`, `plan`, `cell` and `trellis` say what a network is and need no torch; `network` builds it.
"""
