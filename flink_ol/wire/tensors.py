"""Named arrays with one JSON object: the codec beneath updates, frames and model files.

Layout: a safetensors file whose metadata has one key, ``flink_ol``, holding JSON:
``{"kind": "...", "format": 1, ...}``. Nothing is unpickled, and sizes are checked before memory
is taken.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import orjson
import safetensors
import safetensors.numpy

from flink_ol.core.unadmitted import Counts
from flink_ol.wire.errors import WireError

_KEY = "flink_ol"
_MOST_HEADER_BYTES = 100_000_000  # safetensors' own limit
_MOST_ARRAYS = 1_000


def encode_tensors(
    kind: str, number: int, fields: Mapping[str, Any], arrays: Mapping[str, Any]
) -> bytes:
    """``fields`` are plain JSON; arrays of any numeric dtype. Equal inputs give equal bytes."""
    header = orjson.dumps({"kind": kind, "format": number, **fields}).decode()
    contiguous = {name: np.ascontiguousarray(arrays[name]) for name in sorted(arrays)}
    return safetensors.numpy.save(contiguous, {_KEY: header})


def read_fields(kind: str, formats: range, data: bytes | memoryview) -> dict[str, Any]:
    """The JSON object alone, without touching the arrays.

    Raises WireError if the bytes are not a ``kind`` of one of the ``formats``.
    """
    if len(data) < 8:
        raise WireError(f"{kind}: {len(data)} bytes are too few for any; it was cut off")
    length = int.from_bytes(data[:8], "little")
    if length > min(len(data) - 8, _MOST_HEADER_BYTES):
        raise WireError(
            f"{kind}: its header claims {length} bytes of {len(data)}; it was cut off, or not "
            "written by flink_ol"
        )
    try:
        header = orjson.loads(data[8 : 8 + length])
        if len(header) > _MOST_ARRAYS:
            raise WireError(f"{kind}: {len(header)} arrays, at most {_MOST_ARRAYS} are read")
        fields = orjson.loads(header["__metadata__"][_KEY])
        found, number = fields["kind"], fields["format"]
    except WireError:
        raise
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
        raise WireError(f"{kind}: not written by flink_ol, or damaged ({error})") from None
    if found != kind:
        raise WireError(f"{kind}: these bytes are a {found}")
    if not isinstance(number, int) or number not in formats:
        known = f"{formats[0]} to {formats[-1]}" if len(formats) > 1 else f"{formats[0]}"
        raise WireError(f"{kind} has format {number}, this reader knows {known}: upgrade flink_ol")
    return dict(fields)


def decode_tensors(
    kind: str, formats: range, data: bytes | memoryview
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The JSON object and the arrays, which own their memory.

    Raises WireError if the bytes are not a ``kind`` of one of the ``formats``, or damaged.
    """
    fields = read_fields(kind, formats, data)
    try:
        return fields, safetensors.numpy.load(bytes(data))
    except (safetensors.SafetensorError, ValueError, KeyError) as error:
        raise WireError(f"{kind}: damaged ({error})") from None


def feature_keys(arrays: Mapping[str, np.ndarray]) -> np.ndarray:
    """The array ``keys`` (features,) int64. Raises KeyError, or ValueError if it is not that."""
    keys = arrays["keys"]
    if keys.dtype != np.int64 or keys.ndim != 1:
        raise ValueError(f"keys are {keys.dtype} of shape {keys.shape}, not a row of int64")
    return keys


def counts(prefix: str, arrays: Mapping[str, np.ndarray]) -> Counts | None:
    """The counts of features under ``prefix``, None where there are none.

    Raises KeyError, or ValueError if they are none.
    """
    found = group(prefix, arrays)
    if not found:
        return None
    keys, numbers = feature_keys(found), found["counts"]
    if numbers.dtype != np.int64 or numbers.shape != keys.shape:
        raise ValueError(f"counts are {numbers.dtype} of shape {numbers.shape}, not one a key")
    return Counts(keys, numbers)


def under(prefix: str, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Arrays renamed ``prefix/name``, to keep several groups in one file."""
    return {f"{prefix}/{name}": array for name, array in arrays.items()}


def group(prefix: str, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The inverse of :func:`under`, for one group."""
    start = f"{prefix}/"
    return {
        name.removeprefix(start): array for name, array in arrays.items() if name.startswith(start)
    }
