"""What a partition's trainer keeps back, in its state: see core.residual.

Tensors of kind ``residual``: arrays ``keys``, ``rows/NAME``, the numbers themselves; and, where
the update may be refused, ``undo/keys``, ``undo-rows/NAME``, what they were before.
"""

from __future__ import annotations

from flink_ol.core.residual import Change
from flink_ol.core.state import Delta
from flink_ol.wire.errors import WireError
from flink_ol.wire.tensors import decode_tensors, encode_tensors, feature_keys, group, under

_KIND, _FORMATS = "residual", range(1, 2)


def encode_residual(change: Change) -> bytes:
    arrays = {"keys": change.rows.keys, **under("rows", change.rows.arrays)}
    if change.undo is not None:
        arrays |= {"undo/keys": change.undo.keys, **under("undo-rows", change.undo.arrays)}
    return encode_tensors(_KIND, _FORMATS[0], {}, arrays)


def decode_residual(stored: bytes) -> Change:
    """Raises WireError."""
    _, arrays = decode_tensors(_KIND, _FORMATS, stored)
    try:
        undo = None
        if "undo/keys" in arrays:
            undo = Delta(feature_keys(group("undo", arrays)), group("undo-rows", arrays))
        return Change(Delta(feature_keys(arrays), group("rows", arrays)), undo)
    except (KeyError, ValueError) as error:
        raise WireError(f"residual: an array is missing or wrong ({error!r})") from None
