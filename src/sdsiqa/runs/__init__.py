"""The folder of a run: settings, identity, lock, checksums, scores. Nothing here needs torch."""
