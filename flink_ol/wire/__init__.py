"""Bytes to core types and back: one file a format or message."""
