"""Scores of images from a checkpoint."""
