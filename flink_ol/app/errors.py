"""How a command ends when it cannot do its work: one message on standard error, and an exit code.

Exit code 2 is a wrong call (bad specification, missing file): the same call will fail again.
Exit code 1 is a failure of something else (broker, cluster, network): it may work later.
"""

from __future__ import annotations

import os
import sys
from typing import Any, NoReturn

import typer
from typer.core import TyperGroup

WRONG_CALL = 2
FAILURE = 1
_INTERRUPTED = 130  # 128 + SIGINT, as shells have it


class UsageError(Exception):
    """The call or the specification is wrong; the message says what and how to put it right."""


class FailureError(Exception):
    """The call was right but could not be done; the message says why and what helps."""


class Guarded(TyperGroup):
    """A group of commands whose errors become a message and an exit code, never a traceback."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command; ``FLINK_OL_TRACEBACK=1`` lets errors through as they are."""
        if os.environ.get("FLINK_OL_TRACEBACK"):
            return super().invoke(ctx)
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise typer.Exit(_INTERRUPTED) from None
        except BrokenPipeError:
            # the reader of our output has gone (`| head`): nothing is left to say, not even at exit
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(FAILURE) from None
        except Exception as error:
            if type(error).__module__.startswith("typer"):
                raise  # wrong options and arguments: typer says it well
            _report(error)


def _report(error: Exception) -> NoReturn:
    code = _exit_code(error)
    text = str(error)
    if code is None:
        code = FAILURE
        text = (
            f"unexpected {type(error).__name__}: {error}\n"
            "this is a defect of flink_ol; FLINK_OL_TRACEBACK=1 shows where it happened"
        )
    typer.echo(f"flink-ol: {text}", err=True)
    raise typer.Exit(code)


def _exit_code(error: Exception) -> int | None:
    """None for errors that no part of flink_ol raises on purpose."""
    # imported here, since most calls end without an error
    from kafka.errors import KafkaError

    from flink_ol.client.errors import ClientError
    from flink_ol.core.fields import ConfigError
    from flink_ol.job.problems import SpecError
    from flink_ol.local.errors import StackError
    from flink_ol.wire.errors import WireError

    if isinstance(error, UsageError | SpecError | ConfigError):
        return WRONG_CALL
    if isinstance(
        error, FailureError | StackError | ClientError | WireError | KafkaError | OSError
    ):
        return FAILURE
    return None
