"""Measurements against other frameworks on the same machine in the same run (`make bench`)."""
