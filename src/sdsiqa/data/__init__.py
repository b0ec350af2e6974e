"""From a benchmark's table to batches of crops."""
