"""Experiments that measure gapless, Redis and Valkey side by side."""
