"""dump.rdb as a file, and stores filled from others: what is written and read in the format of Redis."""
