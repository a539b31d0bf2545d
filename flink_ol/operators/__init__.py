"""Thin PyFlink functions around the core's state machines: decode, handle, encode, store."""
