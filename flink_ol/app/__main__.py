"""``python -m flink_ol.app``: the command line where its script is not on the path."""

from flink_ol.app.main import app

app(prog_name="flink-ol")
