"""A page on this machine to try a model on pictures: `sdsiqa app`."""
