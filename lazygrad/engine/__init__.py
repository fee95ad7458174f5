"""From schedules to running kernels: compiling, caching, launching.

Importing it makes devices keep their compiled kernels in the disk cache.
"""

from lazygrad.engine.cache import shared_cache
from lazygrad.runtime.registry import use_cache

use_cache(shared_cache)
