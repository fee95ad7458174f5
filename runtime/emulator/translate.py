"""CUDA C++ text as C++ text: the few things that macros and headers cannot give a meaning to.

A shared array becomes a reference to memory of the block, and each kernel gets an entry that takes its arguments as
the driver would (an array of pointers to them), with a table of what they are.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from lazygrad.errors import CompileError

from ..base import KernelSource

_SHARED = re.compile(
    r"(?P<extern>extern\s+)?__shared__\s+(?:__align__\((?P<align>\d+)\)\s*)?(?P<type>[\w ]+?(?:<[^;<>]*>)?)\s+"
    r"(?P<name>\w+)\s*(?P<sizes>(?:\[[^\];]*\])*)\s*;"
)
_PART = re.compile(r"(?P<type>[\w ]+?) \*const (?P<name>\w+) = \((?P=type) \*\)\(lg_dynamic \+ (?P<offset>\d+)\);")
_KERNEL = re.compile(r"__global__\s+(?:\w+\s+)*?void\s+(?:__\w+__\s*\([^()]*\)\s*)*(?P<name>\w+)\s*\(")
_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)


@dataclass(frozen=True)
class Parameter:
    """A kernel's parameter: its name, and its type as written."""

    name: str
    type: str

    @property
    def is_pointer(self) -> bool:
        return "*" in self.type


def translate(source: KernelSource) -> str:
    """The text of one kernel for the system's compiler.

    >>> print(translate(KernelSource("k", 'extern "C" __global__ void k(float *a) { __shared__ int s[4]; }', "k")))
    #line 1 "k"
    extern "C" __global__ void k(float *a) { int (&s)[4] = *(int (*)[4])emu_shared(0, sizeof(int [4]), ...
    EMU_ENTRY(k)

    CompileError where the text has no such kernel, or one with inline PTX.
    """
    parameters(source)
    if re.search(r"\basm\b", _COMMENT.sub("", _without_definitions(source.text))):
        raise CompileError(source.name, "a kernel's body holds inline PTX, which has no meaning here", source.text)
    sites = iter(range(1 << 20))
    body = _SHARED.sub(lambda found: _shared(found, next(sites)), source.text)
    body = _PART.sub(lambda found: _part(found, next(sites)), body)
    return f'#line 1 "{source.name}"\n{body}\nEMU_ENTRY({source.entry})\n'


def parameters(source: KernelSource) -> list[Parameter]:
    """The parameters of a kernel in order; CompileError where the text has no such kernel.

    >>> text = 'extern "C" __global__ void __launch_bounds__(32) k(const float *__restrict__ in0, const int n) {}'
    >>> [p.name for p in parameters(KernelSource("k", text, "k"))]
    ['in0', 'n']
    """
    text = _COMMENT.sub("", source.text)
    for found in _KERNEL.finditer(text):
        if found["name"] == source.entry:
            inside = text[found.end() : _closing(text, found.end())]
            return [_parameter(part) for part in _split(inside)]
    raise CompileError(source.name, f"the text has no kernel {source.entry!r}", source.text)


def _shared(found: re.Match[str], site: int) -> str:
    """What stands for the declaration of a shared array (or of a single shared value)."""
    kind, name, sizes = found["type"].strip(), found["name"], found["sizes"]
    align = found["align"] or f"alignof({kind})"
    if found["extern"]:
        return f"{kind} *const {name} = ({kind} *)emu_dynamic_shared({align});"
    whole = f"{kind} {sizes}" if sizes else kind
    place = f'emu_shared({site}, sizeof({whole}), {align}, sizeof({kind}), "{name}")'
    if sizes:
        return f"{kind} (&{name}){sizes} = *({kind} (*){sizes}){place};"
    return f"{kind} &{name} = *({kind} *){place};"


def _part(found: re.Match[str], site: int) -> str:
    """The pointer to a part of dynamic shared memory, and its name for reports."""
    kind = found["type"].strip()
    return f'{found[0]} emu_dynamic_part({site}, {found["offset"]}, sizeof({kind}), "{found["name"]}");'


def _without_definitions(text: str) -> str:
    """The text without the definitions that only NVRTC is to see."""
    return re.sub(r"#ifndef LAZYGRAD_EMULATED\n.*?\n#endif\n", "", text, flags=re.DOTALL)


def _closing(text: str, start: int) -> int:
    depth = 1
    for at in range(start, len(text)):
        depth += (text[at] == "(") - (text[at] == ")")
        if depth == 0:
            return at
    return len(text)


def _split(inside: str) -> Sequence[str]:
    """The parts between commas that are not inside of brackets."""
    parts, depth, start = [], 0, 0
    for at, letter in enumerate(inside):
        depth += (letter in "(<[") - (letter in ")>]")
        if letter == "," and depth == 0:
            parts.append(inside[start:at])
            start = at + 1
    parts.append(inside[start:])
    return [part for part in parts if part.strip()]


def _parameter(text: str) -> Parameter:
    found = re.fullmatch(r"\s*(?P<type>.*?[\s*&])(?P<name>\w+)\s*", text, re.DOTALL)
    assert found, text
    return Parameter(found["name"], found["type"].strip())
