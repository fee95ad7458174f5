"""Kinds of state that a Python function can read: what `tests.jit_programs` makes programs of, as source.

In a text `#` is the number of the thing, and `$` a number that is drawn anew wherever it stands.
"""

from __future__ import annotations

from dataclasses import dataclass

PRELUDE = """
import abc, array, collections, contextvars, copy, dataclasses, decimal, enum, fractions, functools, itertools
import operator, threading, types, weakref
import numpy as np
from lazygrad import Tensor, enable_grad, is_grad_enabled, manual_seed, nn, no_grad, dtypes
"""


@dataclass(frozen=True)
class State:
    """Something with a state.

    Attributes:
        setup: statements that make it.
        reads: expressions of a number or a vector of two.
        changes: statements that change it between calls.
        effects: statements in the jitted function that change it; without those of tensors, a JitError.
    """

    setup: str
    reads: tuple[str, ...]
    changes: tuple[str, ...]
    effects: tuple[str, ...] = ()


def _lines(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.replace("\n", ";;").split(";;") if part.strip())


def state(setup: str, reads: str, changes: str, effects: str = "") -> State:
    """One from texts of reads, changes and effects, which `;;` or a new line parts."""
    return State(setup.strip("\n"), _lines(reads), _lines(changes), _lines(effects) if effects else ())


CONTAINERS = {
    "number": state(
        "g# = 1.5",
        "g# ;; g# * g# ;; (1.0 if g# > 2 else 0.5) ;; eval('g#')",
        "g# = $ ;; globals()['g#'] = $",
    ),
    "text": state(
        "s# = 'ab'",
        "float(len(s#)) ;; (1.0 if s# == 'ab' else 0.5) ;; (2.0 if f'{s#}!' < 'b' else 1.0)",
        "s# = 'abc' ;; s# = 'b'",
    ),
    "list": state(
        "l# = [1.0, 2.0, 0.5]",
        """l#[1] ;; sum(l#) ;; len(l#) * 0.5 ;; max(l#) ;; l#[-1] ;; sorted(l#)[0] ;; (0.5 if 2.0 in l# else 0.25)
        sum(a * b for a, b in enumerate(l#)) ;; functools.reduce(operator.sub, l#) ;; l#.index(max(l#)) + 0.5
        [*l#, 1.0][0] ;; list(map(lambda v: v * 2, l#))[0] ;; next(iter(l#)) ;; l#[::-1][0]
        (lambda a, *b: a + len(b))(*l#) ;; operator.itemgetter(0)(l#) ;; (1.0 if l# else 0.5) ;; l#.copy()[0]
        Tensor(l#[:2]) ;; np.array(l#).sum().item()""",
        """l#[1] = $ ;; l#.append($) ;; l#.reverse() ;; l#[:] = [$, 1.0, $] ;; l#.sort() ;; l# = [$, 0.5] ;; l# += [$]
        l#.insert(0, $) ;; l# = l#.copy() ;; l#[0], l#[-1] = l#[-1], l#[0]""",
        "l#.append(1.0) ;; l#[0] = 2.0 ;; l#[0] += 1.0 ;; l#.sort(reverse=True)",
    ),
    "dict": state(
        "d# = {'a': 1.0, 'b': 2.0, 3: 0.5}",
        """d#['a'] ;; d#.get('z', 0.25) ;; sum(d#.values()) ;; next(iter(d#.values())) ;; (0.5 if 'z' in d# else 1.5)
        len(d#) * 0.5 ;; sum(v * k for k, v in enumerate(d#.values())) ;; {**d#}['b']
        (lambda a, **k: a)(**{str(k): v for k, v in d#.items()}) ;; list(d#)[-1] == 3 and 1.0 or 2.0
        (d# | {'q': 1.0}).get('z', 3.0) ;; max(d#, key=lambda k: d#[k]) == 'b' and 1.0 or 2.0""",
        """d#['a'] = $ ;; d#['a'] = d#.pop('a') ;; d#.update(z=$) ;; d#.pop('z', None) ;; d# = {'a': $, 'b': 1.0, 3: $}
        d# |= {'b': $}""",
        "d#['y'] = 1.0 ;; d#.setdefault('w', 2.0) ;; d#['a'] *= 2",
    ),
    "nested": state(
        "t# = {'a': [1.0, (2.0, {'b': 0.5})], 'c': ([1.5],)}",
        "t#['a'][1][1]['b'] ;; t#['c'][0][0] ;; t#['a'][0] ;; sum(t#['c'][0]) ;; copy.deepcopy(t#)['a'][1][1]['b']",
        """t#['a'][1][1]['b'] = $ ;; t#['c'][0][0] = $ ;; t#['c'][0].insert(0, $) ;; t#['a'] = [$, (1.0, {'b': $})]
        t# = copy.deepcopy(t#)""",
        "t#['c'][0].append(0.5)",
    ),
    "shared list": state(
        "p# = [1.0]; q# = [p#, p#, [1.0]]",
        """(0.5 if q#[0] is q#[1] else 0.25) ;; (0.5 if q#[0] is p# else 0.75) ;; q#[1][0]
        (1.0 if q#[0] == q#[2] else 2.0)""",
        "q#[1] = [1.0] ;; q#[1] = q#[0] ;; p# = [1.0] ;; p#[0] = $ ;; q#[0], q#[2] = q#[2], q#[0]",
    ),
    "set": state(
        "u# = {1, 2, 3}",
        "(0.5 if 2 in u# else 1.0) ;; len(u#) * 0.5 ;; float(sum(u#)) ;; float(len(u# & {2, 7}))",
        "u#.add(7) ;; u#.discard(2) ;; u# = {2, 5} ;; u# ^= {3}",
        "u#.add(9)",
    ),
    "deque": state(
        "k# = collections.deque([1.0, 2.0], maxlen=3)",
        "k#[0] ;; sum(k#) ;; len(k#) * 0.5 ;; (k#.maxlen or 1) * 0.5",
        "k#.append($) ;; k#.rotate() ;; k#.appendleft($) ;; k# = collections.deque(k#, maxlen=4)",
        "k#.append(1.0)",
    ),
    "ordered": state(
        "od# = collections.OrderedDict(a=1.0, b=2.0)",
        "next(iter(od#.values())) ;; od#['b'] ;; (1.0 if next(reversed(od#)) == 'a' else 2.0)",
        "od#.move_to_end('a') ;; od#['b'] = $ ;; od#['a'] = $",
        "od#.move_to_end('a') ;; od#.popitem()",
    ),
    "default dict": state(
        "dd# = collections.defaultdict(lambda: 1.0, a=2.0)",
        "dd#['a'] ;; dd#.get('q', 3.0) ;; dd#.default_factory()",
        "dd#['a'] = $ ;; dd#['q'] = $ ;; dd#.default_factory = lambda: $",
        "dd#['zz']",
    ),
    "counter": state(
        "cn# = collections.Counter('aab')",
        "cn#['a'] * 0.5 ;; cn#['z'] + 1.0 ;; cn#.most_common(1)[0][1] * 0.5",
        "cn#['z'] += 1 ;; cn#.update('bbb')",
        "cn#['a'] += 1",
    ),
    "chain": state(
        '''
c1#, c2# = {'a': 1.0}, {'a': 2.0, 'b': 3.0}
cm# = collections.ChainMap(c1#, c2#)
mp# = types.MappingProxyType(c1#)
''',
        "cm#['a'] ;; cm#['b'] ;; mp#['a'] ;; cm#.maps[1]['a'] ;; len(cm#) * 0.5",
        "c1#['a'] = $ ;; c2#['b'] = $ ;; c1#['b'] = $ ;; cm#.maps.reverse() ;; cm# = cm#.new_child({'b': $})",
    ),
    "user containers": state(
        '''
class Missing#(dict):
    fill = 1.0
    def __missing__(self, key):
        return self.fill
ud#, ul#, ms# = collections.UserDict(a=1.0), collections.UserList([1.0, 2.0]), Missing#(a=2.0)
''',
        "ud#['a'] ;; ul#[0] ;; sum(ul#) ;; ms#['a'] ;; ms#['nothing'] ;; len(ud#) * 0.5",
        """ud#['a'] = $ ;; ul#.append($) ;; ul#[0] = $ ;; ms#['a'] = $ ;; ms#.fill = $ ;; Missing#.fill = $
        ms#['nothing'] = $""",
    ),
    "bytes and arrays": state(
        '''
ba# = bytearray(b'ab'); ar# = array.array('d', [1.0, 2.0]); na# = np.array([1.0, 2.0])
no# = np.array([[1.0], 'x'], dtype=object)
''',
        """ba#[0] / 64 ;; ar#[0] ;; na#[1].item() ;; na#.sum().item() ;; Tensor(na#) ;; no#[0][0] ;; na#.max().item()
        memoryview(ba#)[1] / 64 ;; na#.shape[0] * 0.5""",
        """ba#[0] = 32 ;; ar#[0] = $ ;; na#[1] = $ ;; na# = na#[::-1] ;; no#[0][0] = $ ;; na# *= 0.5
        na# = np.array([$, $]) ;; ba#[1] = 64""",
        "na#[0] = 3.0 ;; ba#.append(1)",
    ),
    "exact numbers": state(
        '''
dc# = decimal.Decimal('1.5'); fr# = fractions.Fraction(1, 2)
rg# = range(3); sl# = slice(0, 1); z# = 0.0; b# = 1
''',
        """float(dc#) ;; float(fr#) ;; sum(rg#) * 0.5 ;; [1.0, 2.0, 3.0][sl#][-1] ;; (1.0 if str(z#) == '0.0' else 2.0)
        (1.0 if b# is True else 2.0) ;; (1.0 if type(b#) is int else 3.0) ;; float(b#)""",
        """dc# = decimal.Decimal('$') ;; fr# = fractions.Fraction(3, 4) ;; rg# = range(1, 5) ;; sl# = slice(1, 3)
        z# = -0.0 ;; z# = 0.0 ;; b# = True ;; b# = 1.0 ;; b# = 1""",
    ),
}  # fmt: skip
