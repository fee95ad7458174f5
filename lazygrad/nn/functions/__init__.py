"""Functions of `lazygrad.nn.functional` whose arguments are not those of a method, a family per file."""
