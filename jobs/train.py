"""The entry for ``flink run -py jobs/train.py SPEC`` on any Flink 2.2 cluster."""

import sys

from flink_ol.job.train import main

sys.exit(main())
