"""The Python function of the trivial job, in a module that the workers import by name."""

import os

from pyflink.common import Row
from pyflink.datastream import MapFunction


class Shout(MapFunction):
    """Upper-cases a message and adds the id of the process that did so."""

    def map(self, value: Row) -> Row:
        return Row(value[0].upper() + b" " + str(os.getpid()).encode())
