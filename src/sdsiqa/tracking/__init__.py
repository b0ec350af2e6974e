"""Weights & Biases: sessions, loggers, artifacts, dashboards, and what was logged offline."""
