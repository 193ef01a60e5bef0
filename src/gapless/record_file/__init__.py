"""Records in a file of JSON lines: `gapless.records()`. Knows nothing of the engine but its hash."""
