"""Losses in plain PyTorch: a function that is the mathematics, a module that holds its settings."""
