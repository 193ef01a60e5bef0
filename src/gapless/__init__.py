"""gapless: a key-value store whose memory does not fragment."""
