"""From schedules to running kernels: compiling, caching, launching."""
