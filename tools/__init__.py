"""What writes documentation and compares results; nothing of it is installed."""
