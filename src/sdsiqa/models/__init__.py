"""Networks: they know nothing of training."""
