"""The server around the engine: configuration, clients, INFO, logs, start and end."""
