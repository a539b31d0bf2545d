"""The one error of the wire."""


class WireError(ValueError):
    """Bytes that do not say what they should; names the place, the value and the remedy."""
