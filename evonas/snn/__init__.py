"""Spiking networks in torch and their exact counts; the only package that knows Norse."""
