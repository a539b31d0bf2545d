"""The one error of the local stack."""


class StackError(RuntimeError):
    """The local stack cannot do what was asked; the message names place, value and remedy."""
