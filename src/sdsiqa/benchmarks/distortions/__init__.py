"""Distortions of images at levels."""
