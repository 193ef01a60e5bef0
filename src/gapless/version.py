"""The version, without the import of importlib.metadata, which would be a tenth of an idle server."""

VERSION = "0.1.0"
