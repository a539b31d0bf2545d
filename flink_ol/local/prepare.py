"""What `make setup` does for the local stack: fetches and verifies the jars, finds Java."""

import sys

from flink_ol.local.errors import StackError
from flink_ol.local.jars import fetch
from flink_ol.local.java import find_java


def main() -> int:
    def say(text: str) -> None:
        print(f"setup: {text}", flush=True)

    try:
        jars = fetch(progress=say)
        java = find_java()
    except StackError as error:
        print(f"setup: {error}", file=sys.stderr)
        return 1
    say(f"{len(jars)} jars verified")
    say(f"Java {java.version} from {java.origin} ({java.home})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
