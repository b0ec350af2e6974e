"""Heads that are fitted in closed form: ridge regression and support vector regression on features."""
