"""One pass of Vowpal Wabbit over a file of its own text format: the progressive log loss.

Run by benchmarks.peers_quality under a Python that has the wheel of Vowpal Wabbit and nothing of
ours: arguments are the file and VW's options, the answer is one JSON line.
"""

from __future__ import annotations

import json
import sys
from importlib.metadata import version

from vowpalwabbit import Workspace


def main() -> None:
    """VW's own average: log(1 + exp(-y p)) of every example before learning from it."""
    workspace = Workspace(sys.argv[2])
    with open(sys.argv[1], encoding="utf-8") as lines:
        for line in lines:
            workspace.learn(line.rstrip("\n"))
    loss = workspace.get_sum_loss() / workspace.get_weighted_examples()
    workspace.finish()
    print(json.dumps({"log_loss": loss, "version": version("vowpalwabbit")}))


if __name__ == "__main__":
    main()
