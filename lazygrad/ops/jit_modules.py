"""How often modules changed: what a model of lazygrad's own modules holds is read again only after one has."""

from __future__ import annotations


class Changes:
    """How often an attribute of any module was set or deleted. Classes that count have a true `counts_changes`."""

    count = 0
