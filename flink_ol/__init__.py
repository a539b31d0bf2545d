"""Streaming online learning on Apache Flink: a model learns from Kafka while it answers."""

__version__ = "0.1.0"
