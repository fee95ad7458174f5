"""Names of PyTorch's that are not here: what is there instead, or why there is nothing (yet)."""

from __future__ import annotations

import difflib
import re
import sys
from collections.abc import Callable, Iterable
from typing import Any, NoReturn

from lazygrad.errors import LazygradError

# What does it here. Names that another room of lazygrad has are found there.
INSTEAD = {
    "compile": "lazygrad.jit",
    "cond": "lazygrad.where, or lazygrad.linalg.cond for the condition number",
    "while_loop": "lazygrad.scan",
    "symeig": "lazygrad.linalg.eigh",
    "frobenius_norm": "lazygrad.linalg.matrix_norm",
    "nuclear_norm": "lazygrad.linalg.matrix_norm(x, 'nuc')",
    "norm_except_dim": "lazygrad.linalg.vector_norm",
    "lstm": "lazygrad.nn.LSTM",
    "gru": "lazygrad.nn.GRU",
    "rnn_tanh": "lazygrad.nn.RNN",
    "rnn_relu": "lazygrad.nn.RNN(nonlinearity='relu')",
    "lstm_cell": "lazygrad.nn.LSTMCell",
    "gru_cell": "lazygrad.nn.GRUCell",
    "rnn_tanh_cell": "lazygrad.nn.RNNCell",
    "rnn_relu_cell": "lazygrad.nn.RNNCell(nonlinearity='relu')",
    "feature_dropout": "lazygrad.nn.functional.dropout2d",
    "grid_sampler_2d": "lazygrad.nn.functional.grid_sample",
    "grid_sampler_3d": "lazygrad.nn.functional.grid_sample",
    "slice_copy": "x[...]",
    "feature_dropout_": "lazygrad.nn.functional.dropout2d",
    "grid_sampler": "lazygrad.nn.functional.grid_sample",
    "affine_grid_generator": "lazygrad.nn.functional.affine_grid",
    "convolution": "lazygrad.nn.functional.conv2d",
    "conv_tbc": "lazygrad.nn.functional.conv1d",
    "embedding_renorm_": "lazygrad.nn.Embedding(max_norm=...)",
    "segment_reduce": "Tensor.scatter_reduce",
    "set_default_tensor_type": "lazygrad.set_default_dtype",
    "from_file": "lazygrad.io",
    "to_dlpack": "Tensor.__dlpack__",
    "typename": "Tensor.type",
    "get_device_module": "lazygrad.Device",
    "use_deterministic_algorithms": "nothing to set: every operation is deterministic",
    "are_deterministic_algorithms_enabled": "nothing to ask: every operation is deterministic",
    "is_inference_mode_enabled": "lazygrad.is_grad_enabled",
    "set_autocast_enabled": "lazygrad.autocast",
    "set_autocast_dtype": "lazygrad.autocast",
    "data_ptr": "Tensor.__dlpack__, or Tensor.numpy: a value has no memory before it is realized",
    "storage": "Tensor.numpy: a value has no memory before it is realized",
    "untyped_storage": "Tensor.numpy: a value has no memory before it is realized",
    "grad_fn": "Tensor.explain, which shows the graph; Tensor.is_leaf says whether there is one",
    "new": "Tensor.new_tensor, new_zeros, new_empty",
    "index": "x[...]",
    "values": "Tensor.tolist, or Tensor.numpy",
    "H": "Tensor.mH",
    "layout": "nothing: elements are in row-major order",
    "is_meta": "nothing: shapes and dtypes are known before anything is computed, on every device",
    "solve": "lazygrad.linalg.solve",
    "resize": "Tensor.resize_",
    "resize_as": "Tensor.resize_as_",
    "apply_": "operations on whole tensors, or lazygrad.vmap",
    "map_": "operations on whole tensors, or lazygrad.vmap",
    "map2_": "operations on whole tensors, or lazygrad.vmap",
    "module_load": "Tensor.copy_",
    "set_": "Tensor.data, to which another tensor may be assigned",
    "detect_anomaly": "nothing: every error names the line of the program that made what it is about",
}
# Why there is nothing, by what a name holds.
WHY = {
    r"complex|cfloat|cdouble|chalf|imag|view_as_real|polar|stft|fft": "there are no complex numbers",
    r"sparse|coalesce|crow_|ccol_|col_indices|row_indices|hsmm|hspmm|dsmm|sspaddmm|saddmm|spmm|^smm$|dense_dim|"
    r"^indices|values_copy|padded_tensor": "there are no sparse tensors",
    r"quant|qscheme|^q_|int_repr|qparams|fake_|scaled_mm|scaled_grouped": "there is no quantization",
    r"^names?$|rename|align_|refine_names": "dimensions have no names",
    r"mkldnn|cudnn|miopen|fbgemm|vulkan|^is_(ipu|mps|xla|maia|mtia|xpu)|^(ipu|mtia|xpu|hpu)$|_(ipu|xla|hip)": (
        "there are other devices here: see lazygrad.Device.available()"
    ),
    r"^native_|batch_norm_|slice_inverse|hash_tensor|^sym_|parse_|import_ir|fused_|jit|_type_list|type_from|profiler|classproperty|fork|"
    r"^wait$|handle_torch|has_torch|boolean_dispatch|assert_int|storage_type|dim_order|const_data|is_set_to|as_subclass|"
    r"output_nr|reinforce|volatile|record_stream|multiprocessing|autocast|anomaly|interop|num_threads|flush_denormal|"
    r"cxx11|warn_always|is_distributed|file_path|nested|grad_dtype|deterministic|is_storage|generator": (
        "it is a matter of PyTorch's own machinery"
    ),
}
# What is not there yet.
NOT_YET = frozenset(
    [
        "histogramdd",
        "lobpcg",
        "grouped_mm",
        "is_shared",
        "gradcheck",
        "gradgradcheck",
        "functionalize",
        "linearize",
        "stack_module_state",
        "SparseAdam",
        "CrossMapLRN2d",
    ]
)
# What tensors of PyTorch's have and tensors here do not.
_OF_TENSORS = """
H apply_ as_subclass ccol_indices cdouble cfloat chalf coalesce col_indices const_data_ptr crow_indices
data_ptr dense_dim dequantize dim_order eig grad_dtype grad_fn hash_tensor imag index indices int_repr ipu
is_coalesced is_distributed is_ipu is_maia is_meta is_mkldnn is_mps is_mtia is_nested is_quantized is_set_to
is_shared is_sparse is_sparse_csr is_vulkan is_xla is_xpu istft layout lstsq map2_ map_ module_load mtia name
new output_nr q_per_channel_axis q_per_channel_scales q_per_channel_zero_points q_scale q_zero_point qscheme
record_stream reinforce resize resize_as resize_as_sparse_ row_indices set_
slice_inverse smm solve sparse_dim sparse_mask sparse_resize_ sparse_resize_and_clear_ sspaddmm stft storage
storage_type symeig to_mkldnn to_padded_tensor to_sparse to_sparse_bsc to_sparse_bsr to_sparse_coo
to_sparse_csc to_sparse_csr untyped_storage values volatile xpu
"""
OF_TENSORS = frozenset(_OF_TENSORS.split())
_ROOMS = ("Tensor", "nn.functional", "linalg", "special", "nn", "optim", "nn.init", "func", "autograd", "fft")


class AbsentError(LazygradError, AttributeError):
    """A name that something of lazygrad's does not have; the message says what is there instead.

    >>> print(AbsentError("lazygrad", "compile"))
    lazygrad has no 'compile'; use lazygrad.jit
    """

    def __init__(self, owner: str, attribute: str) -> None:
        super().__init__(owner, attribute)
        self.owner, self.attribute = owner, attribute

    def __str__(self) -> str:
        return f"{self.owner} has no {self.attribute!r}{self._remedy()}"

    def _remedy(self) -> str:
        name = self.attribute
        if name in INSTEAD:
            return f"; use {INSTEAD[name]}" if not INSTEAD[name].startswith("nothing") else f": {INSTEAD[name]}"
        if (place := self._elsewhere(name)) is not None:
            return f"; use {place}"
        for ending, option in (("_with_indices", "return_indices=True"), ("_", "inplace=True")):
            base = name.removesuffix(ending)
            if base != name and base in dir(_found("lazygrad.nn.functional")):
                return f"; use lazygrad.nn.functional.{base}({option})"
        if name in NOT_YET:
            return ": PyTorch's is not there yet"
        why = next((why for pattern, why in WHY.items() if re.search(pattern, name)), None)
        if why is not None:
            return f": {why}"
        close = difflib.get_close_matches(name, dir(_found(self.owner)), 1, 0.75) if not name.startswith("_") else []
        return f"; did you mean {close[0]}?" if close else ""

    def _elsewhere(self, name: str) -> str | None:
        """Where else lazygrad has that name."""
        rooms = [
            room
            for room in ("lazygrad", *(f"lazygrad.{r}" for r in _ROOMS))
            if room.removeprefix("lazygrad.") != self.owner.removeprefix("lazygrad.")
        ]
        room = next((r for r in rooms if not name.startswith("_") and name in dir(_found(r))), None)
        return None if room is None else f"{room}.{name}".replace("lazygrad.Tensor", "Tensor")


class Absent:
    """A name that a class does not have: to look it up is an AbsentError. (`__getattr__` would make all else slower.)

    >>> hasattr(Tensor([1.0]), "to_sparse")
    False
    """

    def __set_name__(self, owner: type, name: str) -> None:
        self.owner, self.name = owner.__name__, name

    def __get__(self, instance: object, owner: type) -> NoReturn:
        raise AbsentError(self.owner, self.name)


def lacks(cls: type, names: Iterable[str]) -> None:
    """Have a class say of each of `names` what is there instead."""
    for name in names:
        absent = Absent()
        absent.__set_name__(cls, name)
        setattr(cls, name, absent)


def absent_from(owner: str) -> Callable[[str], NoReturn]:
    """`__getattr__` of a module, for what it does not have.

    >>> from lazygrad import nn
    >>> try: nn.Liner
    ... except AttributeError as error: print(error)
    lazygrad.nn has no 'Liner'; did you mean Linear?
    """

    def missing(name: str) -> NoReturn:
        raise AbsentError(owner, name)

    return missing


def _found(path: str) -> Any:
    """What a path from the package leads to."""
    place: Any = sys.modules["lazygrad"]
    for part in filter(None, path.split(".")[1:] if path.startswith("lazygrad") else [path]):
        place = getattr(place, part, None)
    return place
