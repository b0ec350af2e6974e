"""What is fitted in closed form: ridge regression and support vector regression on features."""
