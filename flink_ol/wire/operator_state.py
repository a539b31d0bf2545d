"""Small values of the operators' state: JSON with a format number.

Progress:   {"format": 1, "sequence": n, "label": x or null}, and, where samples wait,
            "position", "passes", "end", "told", "sent": [round, samples, ends the pass, last
            batch], the last missing in older ones, or null
Sequencer:  {"format": 1, "version": [epoch, number], "parts": {worker: samples},
             "sequences": {partition: n}, "published_ms": {kind: ms}, "owed": [kind, ...],
             "overrides": {setting: value}, absent where there are none,
             "activity": [learned_ms, cut_ms, [[end, length], ...]], absent where none expires,
             and, where shards wait for each other, "pace", "idle", "resting", "labels"}
"""

from __future__ import annotations

import math
from typing import Any

import orjson

from flink_ol.core.expiry import Activity
from flink_ol.core.messages import PACE_AT_FIRST, Version
from flink_ol.core.sequencer import SequencerState
from flink_ol.core.trainer import Progress, Sent
from flink_ol.wire.addresses import pace_of, pace_to_json
from flink_ol.wire.errors import WireError

_FORMAT = 1


def encode_progress(progress: Progress) -> bytes:
    label = None if math.isnan(progress.label) else progress.label
    fields = {"format": _FORMAT, "sequence": progress.sequence, "label": label}
    waits = progress._replace(sequence=0, label=0.0) != Progress(label=0.0)
    return orjson.dumps(fields | (_waiting(progress) if waits else {}))


def _waiting(progress: Progress) -> dict[str, Any]:
    sent = None if progress.sent is None else list(progress.sent)
    names = ("position", "passes", "end", "told")
    return {name: getattr(progress, name) for name in names} | {"sent": sent}


def decode_progress(stored: bytes) -> Progress:
    fields = _fields(stored, "the progress of a partition")
    label = math.nan if fields["label"] is None else float(fields["label"])
    sent = fields.get("sent")
    return Progress(
        int(fields["sequence"]),
        label,
        int(fields.get("position", 0)),
        int(fields.get("passes", 0)),
        None if sent is None else Sent(*sent),
        int(fields.get("end", -1)),
        int(fields.get("told", 0)),
    )


def encode_sequencer_state(state: SequencerState) -> bytes:
    """What survives a restart; workers and timers belong to one life."""
    fields: dict[str, Any] = {
        "format": _FORMAT,
        "version": list(state.version),
        "parts": {str(worker): part for worker, part in state.parts.items()},
        "sequences": {str(key): value for key, value in state.sequences.items()},
        "published_ms": state.published_ms,
        "owed": sorted(state.owed),
    }
    if state.overrides:
        fields["overrides"] = state.overrides
    activity = state.activity
    if activity.learned_ms:
        fields["activity"] = [activity.learned_ms, activity.cut_ms, activity.pauses]
    if state.pace != PACE_AT_FIRST:
        fields["pace"] = pace_to_json(state.pace)
    groups = {"idle": state.idle, "resting": state.resting}
    fields |= {name: sorted(group) for name, group in groups.items() if group}
    if state.labels:
        fields["labels"] = {str(partition): label for partition, label in state.labels.items()}
    return orjson.dumps(fields)


def decode_sequencer_state(stored: bytes) -> SequencerState:
    fields = _fields(stored, "the sequencer")
    learned_ms, cut_ms, pauses = fields.get("activity", (0, 0, ()))
    return SequencerState(
        version=Version(*fields["version"]),
        parts={int(worker): float(part) for worker, part in fields["parts"].items()},
        sequences={int(key): int(value) for key, value in fields["sequences"].items()},
        published_ms=fields["published_ms"],
        owed=set(fields["owed"]),
        overrides=dict(fields.get("overrides", {})),
        activity=Activity(learned_ms, cut_ms, [(end, length) for end, length in pauses]),
        pace=pace_of(fields.get("pace")),
        labels={int(key): float(label) for key, label in fields.get("labels", {}).items()},
        idle=set(fields.get("idle", ())),
        resting=set(fields.get("resting", ())),
    )


def _fields(stored: bytes, what: str) -> Any:
    fields = orjson.loads(stored)
    if fields.get("format") != _FORMAT:
        raise WireError(
            f"the stored state of {what} has format {fields.get('format')}, this version of "
            f"flink_ol knows {_FORMAT}: restore it with the version that wrote it"
        )
    return fields
