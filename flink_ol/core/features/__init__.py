"""From named values to numbers: keys by hashing, running standardisation."""
