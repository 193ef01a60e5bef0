"""Handlers that are plain Python: what a connection says about itself, and what an operator asks."""
