"""What PyTorch has as functions beside the methods of `Tensor`: the methods themselves, by family. No logic is here."""

from lazygrad.functions import (
    constants,
    creation,
    elementwise,
    images,
    inplace,
    linear_algebra,
    products,
    random,
    reductions,
    shapes,
    typed,
    types,
)
from lazygrad.functions.constants import *
from lazygrad.functions.creation import *
from lazygrad.functions.elementwise import *
from lazygrad.functions.images import *
from lazygrad.functions.inplace import *
from lazygrad.functions.linear_algebra import *
from lazygrad.functions.products import *
from lazygrad.functions.random import *
from lazygrad.functions.reductions import *
from lazygrad.functions.shapes import *
from lazygrad.functions.typed import *
from lazygrad.functions.types import *

__all__: list[str] = []
__all__ += constants.__all__
__all__ += creation.__all__
__all__ += elementwise.__all__
__all__ += images.__all__
__all__ += inplace.__all__
__all__ += linear_algebra.__all__
__all__ += products.__all__
__all__ += random.__all__
__all__ += reductions.__all__
__all__ += shapes.__all__
__all__ += typed.__all__
__all__ += types.__all__
