"""Every public method and function with every parameter given something of the wrong kind: a right result, or an error
of lazygrad's that names the operation; never one of Python's from inside, and nothing that goes on for ever.
"""

from __future__ import annotations

import inspect
import re
import signal
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

import lazygrad
from lazygrad import Tensor, io, nn, optim
from lazygrad.errors import FileFormatError, LazygradError
from lazygrad.nn import init
from lazygrad.nn.applied import Applied
from lazygrad.ops.signatures import check_of

NAN, INF, HUGE = float("nan"), float("inf"), 2**70
NOTHING = object()  # something that no operation takes
WRONG: dict[str, Any] = {
    "None": None, "'a'": "a", "{}": {}, "b'a'": b"a", "object": NOTHING, "['a']": ["a"], "nan": NAN, "inf": INF,
    "1.5": 1.5, "torch": torch.zeros(2), "-1": -1, "-7": -7, "huge": HUGE, "[]": [], "True": True, "1j": 1j,
    "int": int, "[[1]]": [[1]], "(1, None)": (1, None), "{0}": {0}, "lambda": lambda: 0,
    "floats": [0.5, 0.5], "float tensor": Tensor([0.5]), "tensor": Tensor([1.0, 2.0]),
}  # fmt: skip
NUMBERS = {"nan", "inf", "1.5", "-1", "-7", "huge", "True"}
# What an annotation lets through besides; whether that is right where it is done is tested elsewhere.
TAKES: dict[str, set[str]] = {
    "None": {"None"},
    "bool": {"True"},
    "builtins.bool": {"True"},
    "int": {"-1", "-7", "huge"},
    "Dim": {"-1", "-7", "huge"},
    "Dims": {"None", "-1", "-7", "huge", "[]"},
    "Sizes": {"-1", "-7", "huge", "[]"},
    "float": NUMBERS,
    "Scalar": NUMBERS | {"float tensor"},
    "str": {"'a'"},
    "Operand": NUMBERS | {"float tensor", "tensor"},
    "Core": {"float tensor", "tensor"},
    "Tensor": {"float tensor", "tensor"},
    "Self": {"float tensor", "tensor"},
    "DTypeLike": {"int"},
    "Sequence[int]": {"[]"},
    "Sequence[Dim]": {"[]"},
    "Sequence[Any]": {"[]", "floats", "['a']", "[[1]]", "(1, None)"},
    "Nested": {"None", "-1", "-7", "huge", "[]", "{}", "[[1]]", "(1, None)"},
    "Any": {"-1", "-7", "huge", "[]"},
    "PathLike": {"'a'"},
    "NamedArrays": {"{}"},
    "Mapping": {"{}"},
    "Iterable": {"[]"},
    "Params": set(),
    "Wanted": {"None", "[]", "[[1]]"},
    "tuple[float, float]": {"floats"},
    "tuple[float | None, float]": {"[]", "floats"},
    "tuple[float, float, float]": {"[]", "floats"},
    "Sequence[float]": {"[]", "floats"},
    "Scale": NUMBERS | {"float tensor"},
    "Module": set(),
    "bool | int | float": NUMBERS,
}
MAKE = ("new_tensor", "as_tensor", "tensor")  # a tensor of anything
OF_ANY_TENSORS = (
    "atleast_1d", "atleast_2d", "atleast_3d", "block_diag", "broadcast_tensors", "cartesian_prod", "meshgrid",
)  # fmt: skip
RIGHT = {  # what "Any" stands for there
    *(("LambdaLR", label) for label in ("int", "lambda")),  # functions of the step
    *((name, label) for name in OF_ANY_TENSORS for label in ("tensor", "float tensor")),
    *((name, label) for name in ("view", "view_copy", "to") for label in ("int", "None", "tensor", "float tensor")),
    *(("normal", label) for label in (*NUMBERS, "None", "tensor", "float tensor")),
    *(("bernoulli", label) for label in (*NUMBERS, "None", "tensor", "float tensor")),
    *(("result_type", label) for label in (*NUMBERS, "tensor", "float tensor")),
    *((name, label) for name in ("scan", "mapAccum") for label in ("{}", "tensor", "float tensor")),
    *(("ParameterList", label) for label in ("['a']", "[[1]]", "(1, None)", "{0}", "floats", "torch")),  # of anything
    *(("ParameterDict", label) for label in ("None", "{}")),
    *((name, label) for name in MAKE for label in (*NUMBERS, "[[1]]", "floats", "tensor", "float tensor", "torch")),
    *((name, label) for name in ("index_put", "index_put_") for label in (*NUMBERS, "[[1]]")),
    *((name, label) for name in ("lu_unpack", "combinations") for label in ("tensor", "float tensor")),
    ("constant_pad_nd", "None"),
    *((name, "None") for name in ("Sequential", "TransformerDecoder", "TransformerEncoder")),  # a place for a module
    *(("from_dlpack", label) for label in ("torch", "tensor", "float tensor")),
    ("as_tensor", "b'a'"),
    ("tensor", "b'a'"),  # bytes are the elements, as in Tensor(b"...")
    *(("gradient", label) for label in (*NUMBERS, "None", "floats")),
    *(("chain_matmul", label) for label in ("tensor", "float tensor")),
    *((name, "floats") for name in ("LAMB", "Adamax", "Lion", "NAdam", "RAdam", "Adam", "AdamW", "Rprop")),
}
ANYTHING = {
    "memory_format",
    "obj",
    "stream",
    "device_ids",
    "output_device",
    "options",
    "pin_memory",
}  # accepted, no more
SECONDS = 20  # for one call; a huge number must not be counted to


def parts(annotation: str) -> list[str]:
    """`int | Sequence[int] | None` as its parts."""
    return [p.strip() for p in re.split(r"\|(?![^\[]*\])", annotation)]


@contextmanager
def in_time(what: str) -> Iterator[None]:
    def late(*_: Any) -> None:
        raise AssertionError(f"{what} takes longer than {SECONDS} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def values_of(result: Any) -> None:
    """Compute what there is to compute."""
    if isinstance(result, Tensor):
        result.numpy()
    elif isinstance(result, (tuple, list)):
        for part in result[:50]:
            values_of(part)


def problems(
    name: str,
    call: Callable[..., Any],
    given: Callable[[], Mapping[str, Any]],
    owner: Callable[[], Any] | None = None,
) -> Iterator[str]:
    """What is wrong with `call` where one of its parameters gets something of the wrong kind.

    Args:
        given: right arguments for those that have no default.
        owner: makes the tensor whose method it is, if it is one.
    """
    needed = [p for p in own_parameters(call, owner is not None) if p.default is p.empty]
    for p in needed:
        if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL) and p.name not in given():
            yield f'{name}: nothing right to give it as {p.name}: add "{p.name}": lambda: ... to wrong_kinds.GIVEN'
            return
    for parameter in own_parameters(call, owner is not None):
        if parameter.kind is parameter.VAR_KEYWORD or parameter.name in ANYTHING:
            continue
        if inspect.isclass(call) and issubclass(call, Applied) and check_of(parameter) is None:  # told later
            continue
        annotation = str(parameter.annotation)
        # functions' errors are their own
        functions = {"int", "lambda"} if re.search("Callable|Activation", annotation) else set()
        takes = set[str]().union(*(TAKES.get(p, TAKES.get(p.partition("[")[0], set())) for p in parts(annotation)))
        takes |= {"None"} if parameter.name == "dtype" else set()
        for label, value in WRONG.items():
            if label in functions or (name, label) in RIGHT:
                continue
            found = problem(name, call, parameter, value, given, owner)
            if found is None and label not in takes:
                found = "is taken"
            if found:
                yield f"{name}({parameter.name}={label}): {found}"


def own_parameters(call: Callable[..., Any], is_method: bool) -> list[inspect.Parameter]:
    """Those that are to be given, without the tensor whose method it is."""
    parameters = list(inspect.signature(call).parameters.values())
    return [p for p in parameters[is_method:] if p.name not in ("self", "cls")]


def problem(
    name: str, call: Callable[..., Any], parameter: inspect.Parameter, value: Any, given: Any, owner: Any
) -> str | None:
    """What is wrong with one call; "" for an error as it should be, None for a result."""
    named = {**given(), parameter.name: value}
    args: list[Any] = [] if owner is None else [owner()]
    unnamed = [p.name for p in inspect.signature(call).parameters.values() if p.kind is p.POSITIONAL_ONLY]
    args += [named.pop(n) for n in unnamed if n in named]
    several = [p.name for p in inspect.signature(call).parameters.values() if p.kind is p.VAR_POSITIONAL]
    if several:  # what comes before them cannot be named
        before = [p.name for p in inspect.signature(call).parameters.values() if p.kind is p.POSITIONAL_OR_KEYWORD]
        args += [named.pop(name) for name in before if name in named]
        rest = named.pop(several[0], ())
        args += [rest] if several[0] == parameter.name else rest
    try:
        with in_time(f"{name}({parameter.name}={value!r:.20})"), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what is right but has no effect
            values_of(call(*args, **named))
    except LazygradError as error:
        names = {name.strip("_").lower(), getattr(call, "__name__", name).strip("_").lower()}  # less is lt
        told = isinstance(error, FileFormatError) or any(n in str(error).lower() for n in names)  # the file is told
        return "" if told else f"does not name itself: {type(error).__name__}: {error}"
    except AssertionError as error:
        return str(error)
    except MemoryError as error:
        return f"MemoryError: {error}"
    except Exception as error:  # noqa: BLE001 - whatever it is, it is named
        return f"{type(error).__name__}: {error}"
    return None


# ---- right arguments ----------------------------------------------------------------------------------


def matrix() -> Tensor:
    return Tensor(np.linspace(0.1, 0.9, 12, dtype=np.float32).reshape(3, 4))


def square() -> Tensor:
    return Tensor([[1.0, 2.0], [3.0, 4.0]])


def integers() -> Tensor:
    return Tensor([[0, 1, 2, 0]])


def images() -> Tensor:
    return Tensor(np.ones((1, 2, 5, 5), np.float32))


def optimizer() -> Any:
    return optim.SGD([matrix().requires_grad_()], lr=0.1)


def mask() -> Tensor:
    return Tensor(np.ones((3, 4), np.bool_))


FILE = "state.safetensors"  # in the folder where tests run, which is a temporary one
GIVEN: dict[str, Callable[[], Any]] = {
    "precision": lambda: "high",
    "dim": lambda: 0, "other": matrix, "target": matrix, "value": lambda: 1.0, "index": integers, "src": lambda: 1.0,
    "mask": mask, "condition": mask, "start": lambda: 0, "end": lambda: 2, "length": lambda: 2, "chunks": lambda: 2,
    "split_size": lambda: 2, "repeats": lambda: 2, "source": lambda: 0, "destination": lambda: 1, "steps": lambda: 3,
    "shifts": lambda: 1, "sizes": lambda: (3, 1), "bounds": lambda: [(0, 2), (0, 2)], "exponent": lambda: 2.0,
    "size": lambda: (2, 2), "fill_value": lambda: 1.0, "n": lambda: 2, "high": lambda: 5, "pads": lambda: (1, 1),
    "dtype": lambda: "float32", "weight": matrix, "normalized_shape": lambda: 4, "num_groups": lambda: 2,
    "running_mean": lambda: Tensor.zeros(4), "running_var": lambda: Tensor.ones(4), "kernel_size": lambda: 2,
    "formula": lambda: "ij->ji", "array": lambda: np.ones(2), "key": matrix, "shape": lambda: (2, 3),
    "combine": lambda: lambda a, b: a + b, "identity": lambda: 0.0, "dims": lambda: (0, 1),
    "tensor": matrix, "tensors": lambda: [matrix(), matrix()], "parameters": lambda: [matrix().requires_grad_()],
    "params": lambda: [matrix().requires_grad_()], "max_norm": lambda: 1.0, "clip_value": lambda: 1.0,
    "function": lambda: lambda x: x.sum(), "nonlinearity": lambda: "relu", "seed": lambda: 1, "lo": lambda: 1,
    "hi": lambda: 4, "name": lambda: "n", "in_features": lambda: 4, "out_features": lambda: 2, "in_channels": lambda: 2,
    "out_channels": lambda: 2, "num_embeddings": lambda: 4, "embedding_dim": lambda: 2, "num_features": lambda: 4,
    "num_channels": lambda: 4, "unflattened_size": lambda: (2, 2), "lr": lambda: 0.1, "optimizer": optimizer,
    "lr_lambda": lambda: lambda step: 1.0, "step_size": lambda: 2, "gamma": lambda: 0.5, "T_max": lambda: 3,
    "warmup": lambda: 1, "total": lambda: 4, "state": lambda: {"bias": Tensor.zeros(2), "weight": Tensor.zeros(2, 4)},
    "batch1": lambda: matrix().unsqueeze(0), "batch2": lambda: matrix().T.unsqueeze(0), "mat1": square, "mat2": square,
    "mat": square, "vec": lambda: Tensor([1.0, 2.0]), "vec1": lambda: Tensor([1.0, 2.0]), "bins": lambda: 3,
    "vec2": lambda: Tensor([1.0, 2.0]), "p": lambda: 2.0, "maxnorm": lambda: 1.0, "x2": matrix, "values": lambda: 1.0,
    "q": lambda: 0.5, "k": lambda: 1, "input2": matrix, "boundaries": lambda: Tensor([0.0, 1.0]),
    "tensor1": matrix, "tensor2": matrix, "stride": lambda: (2, 1), "groups": lambda: 1, "max": lambda: 1.0,
    "min": lambda: 0.0, "indices_or_sections": lambda: 1, "indices": integers, "reduce": lambda: "amax",
    "LU_data": square, "LU_pivots": lambda: Tensor([1, 2], dtype="int32"), "data": lambda: [1.0], "pad": lambda: (1, 1),
    "tau": lambda: Tensor([1.0, 1.0]), "upscale_factor": lambda: 1, "downscale_factor": lambda: 1, "row": lambda: 2,
    "split_sizes": lambda: (1, 2), "axis0": lambda: 0, "axis1": lambda: 1, "dim0": lambda: 0, "dim1": lambda: 1,
    "dimension": lambda: 0, "step": lambda: 1, "input": lambda: Tensor([1.0, 2.0]), "L": square, "A": square,
    "equation": lambda: "ij->ji", "physical_layout": lambda: (1, 0), "the_template": matrix, "s": lambda: 1.0,
    "threshold": lambda: 0.5, "elements": matrix, "test_elements": matrix, "col": lambda: 2,
    "prob": lambda: Tensor(0.5), "num_samples": lambda: 1, "low": lambda: 0, "f": lambda: lambda carry, x: (carry, x),
    "hook": lambda: lambda gradient: gradient, "func": lambda: lambda x: x,
    "in1_features": lambda: 2, "in2_features": lambda: 2, "padding": lambda: 1, "state_dict": dict,
    "from_": lambda: "float32", "type": lambda: "int32", "type1": lambda: "int32", "type2": lambda: "int32",
    "obj": matrix, "to": lambda: "float32", "init": matrix, "xs": matrix, "new_state": lambda: lazygrad.get_rng_state(),
    "operands": lambda: [matrix()], "output_size": lambda: 2, "norm_type": lambda: 2.0, "input_size": lambda: 2,
    "hidden_size": lambda: 2, "embed_dim": lambda: 4, "num_heads": lambda: 2, "d_model": lambda: 4, "nhead": lambda: 2,
    "encoder_layer": lambda: nn.TransformerEncoderLayer(4, 2, 4), "num_layers": lambda: 1,
    "decoder_layer": lambda: nn.TransformerDecoderLayer(4, 2, 4),
    "device_type": lambda: "cpu", "d": lambda: "float32", "window_length": lambda: 3, "n_classes": lambda: 5,
    "cutoffs": lambda: [2], "num_classes": lambda: 5, "val": lambda: 1.0, "sparsity": lambda: 0.5,
    "device": lambda: "NUMPY", "x": matrix, "buffer": lambda: bytearray(8), "layers": lambda: [Tensor.relu],
    "module": lambda: nn.Linear(4, 2),
    "a": matrix, "b": matrix, "path": lambda: FILE, "filename": lambda: FILE,
}  # fmt: skip
OF_METHOD: dict[str, dict[str, Callable[[], Any]]] = {
    "matmul": {"other": lambda: matrix().T}, "mm": {"other": lambda: matrix().T}, "embedding": {"index": integers},
    "dot": {"other": lambda: Tensor([1.0, 2.0])}, "bmm": {"other": lambda: matrix().T.unsqueeze(0)},
    "cross_entropy": {"target": lambda: Tensor([0, 1, 2])}, "nll_loss": {"target": lambda: Tensor([0, 1, 2])},
    "conv2d": {"weight": lambda: Tensor(np.ones((2, 2, 3, 3), np.float32))}, "outer": {"other": lambda: Tensor([1.0])},
    "conv1d": {"weight": lambda: Tensor(np.ones((2, 2, 3), np.float32))}, "bitcast": {"dtype": lambda: "int32"},
    "linear": {"weight": matrix}, "scaled_dot_product_attention": {"key": matrix, "value": matrix},
    "to": {"target": lambda: "float32"}, "lerp": {"end": matrix, "weight": lambda: 0.5}, "flip": {"dims": lambda: (0,)},
    "broadcast_to": {"shape": lambda: (3, 4)}, "reshape": {"shape": lambda: (4, 3)}, "assign": {"value": matrix},
    "tile": {"dims": lambda: (2,)}, "repeat": {"repeats": lambda: (2, 2)}, "view": {"shape": lambda: (4, 3)},
    "type_as": {"other": matrix}, "arange": {"start": lambda: 3, "end": lambda: 9}, "linspace": {"end": lambda: 2.0},
    "backward": {"gradient": lambda: Tensor(1.0)}, "index_select": {"index": lambda: Tensor([0, 1])},
    "index_put": {"indices": lambda: (Tensor([0]),), "values": lambda: Tensor(1.0)},
    "index_put_": {"indices": lambda: (Tensor([0]),), "values": lambda: Tensor(1.0)},
    "Transformer": {
        "d_model": lambda: 4, "nhead": lambda: 2, "num_encoder_layers": lambda: 1, "num_decoder_layers": lambda: 1,
        "dim_feedforward": lambda: 4,
    },
    "expand": {"sizes": lambda: (3, 4)},
}  # fmt: skip
OWNERS: dict[str, Callable[[], Tensor]] = {
    "conv2d": images, "max_pool2d": images, "avg_pool2d": images, "conv1d": lambda: images()[0, :, 0].unsqueeze(0),
    "one_hot": integers, "dot": lambda: Tensor([1.0, 2.0]), "outer": lambda: Tensor([1.0, 2.0]),
    "bmm": lambda: matrix().unsqueeze(0), "backward": lambda: matrix().requires_grad_().sum(),
}  # fmt: skip
NO_FUNCTIONS = {  # classes to derive from, modes, and what readers and optimizers are made of
    "Buffer", "Device", "Function", "Group", "Identity", "LRScheduler", "Module", "Optimizer", "Parameter", "RNNBase",
    "RNNCellBase", "UninitializedBuffer", "UninitializedParameter", "LinearCrossEntropyOptions", "StoredArray",
    "dtypes", "LoadResult", "atomic_write", "enable_grad", "inference_mode", "no_grad", "set_grad_enabled",
    "stored_array", "write_arrays", "write_weights", "Size",
}  # fmt: skip
SPELLINGS = {"trapz"}  # of functions that are methods
LEFT_OUT = {"explain", "schedule"}  # texts


def given_to(call: Callable[..., Any], is_method: bool) -> Callable[[], dict[str, Any]]:
    """What makes right arguments for the parameters that need one."""
    named = getattr(call, "__name__", "")

    def given() -> dict[str, Any]:
        required = {}
        for p in own_parameters(call, is_method):
            own = OF_METHOD.get(named, {}).get(p.name)
            needed = p.default is p.empty and p.kind is not p.VAR_KEYWORD and p.name in GIVEN
            if own is not None or needed:
                required[p.name] = (own or GIVEN[p.name])()
        return required

    return given


def of_function(name: str, call: Callable[..., Any]) -> Iterator[str]:
    """What is wrong with a function or a class; what is a method, too, gets its tensor."""
    is_method = "self" in inspect.signature(call).parameters
    owner = OWNERS.get(call.__name__, matrix) if is_method else None
    return problems(name.rpartition(".")[2], call, given_to(call, is_method), owner)


def of_method(name: str) -> Iterator[str]:
    """What is wrong with a method of Tensor."""
    static = inspect.getattr_static(Tensor, name)
    owner = None if isinstance(static, classmethod) or name == "bernoulli" else OWNERS.get(name, matrix)
    call = getattr(Tensor, name)
    return problems(name, call, given_to(call, owner is not None), owner)


def methods() -> list[str]:
    """Those with parameters."""
    names = [n for n in dir(Tensor) if not n.startswith("_") and n not in LEFT_OUT]
    found = {n: getattr(Tensor, n, None) for n in names}  # None for names of PyTorch's that are not here
    return [n for n, method in found.items() if callable(method) and inspect.signature(method).parameters]


def public(module: Any) -> dict[str, Callable[..., Any]]:
    """The functions and classes that a module exports."""
    found = {n: getattr(module, n) for n in module.__all__}
    return {n: f for n, f in found.items() if callable(f) and f is not Tensor}


def init_functions() -> list[Any]:
    return [f for n, f in vars(init).items() if n[0] != "_" and inspect.isfunction(f) and f.__module__ == init.__name__]


def of_module_functions() -> dict[str, Callable[..., Any]]:
    """Functions, and constructors of modules, optimizers and schedules, by name."""
    found = {**public(lazygrad), **public(nn), **public(optim), **public(io)}
    found |= {n: f for n, f in vars(init).items() if f in init_functions()}
    found["Linear.load_state_dict"] = nn.Linear(4, 2).load_state_dict
    found["SGD.load_state_dict"] = optimizer().load_state_dict
    found["variable"] = lazygrad.Variable("n", 0, 1 << 30).bind
    functions = {n: f for n, f in found.items() if n not in NO_FUNCTIONS and not hasattr(Tensor, n)}
    return {n: f for n, f in functions.items() if n not in SPELLINGS and not n.endswith("Tensor")}  # as Tensor itself
