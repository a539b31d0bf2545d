"""Several jobs of one client: ``flink run -py train_several.py SPEC...``, in the order given."""

import sys

from flink_ol.job.train import main

sys.exit(max(main([spec]) for spec in sys.argv[1:]))
