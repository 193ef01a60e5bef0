"""The compiled engine: from the arena to the loop. See docs/ARCHITECTURE.md."""
