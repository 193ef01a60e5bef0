"""The command table: data, one row a command, and the handlers that are plain Python."""
