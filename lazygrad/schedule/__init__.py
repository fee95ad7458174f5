"""Which nodes are stored, which are computed together in one kernel, and in what order the kernels run."""
