"""Beam is imported here, outside of the tests' rule that warnings are errors: its own are many."""

import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import apache_beam.runners.worker.statesampler  # noqa: F401
    import pyflink.datastream  # noqa: F401
