"""The Flink job: specification, topics, endpoints and topology."""
