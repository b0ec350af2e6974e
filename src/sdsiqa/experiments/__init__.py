"""Many runs that answer one question: definition, plan, cells, grid, jobs of a cluster."""
