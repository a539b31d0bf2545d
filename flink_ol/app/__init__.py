"""The command line ``flink-ol``."""
