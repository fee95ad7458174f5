"""Objects with a state, for `tests.jit_programs`."""

from __future__ import annotations

from tests.jit_state import state

OBJECTS = {
    "object": state(
        '''
class Other#:
    factor = 0.5
    k = 0.25
    twice = 3.0
    inner = None
    def scale(self, v): return v * 0.75
    def __call__(self, v): return v
    def __getitem__(self, i): return 1.0 + i
    def __len__(self): return 5
    def __add__(self, v): return v - 1.0
    def __bool__(self): return False
    def __eq__(self, other): return False
    def __hash__(self): return 3
    def __str__(self): return 'o'
    def __iter__(self): return iter([1.0])
    def __contains__(self, v): return False
class Base#:
    factor = 2.0
    def scale(self, v): return v * self.factor
    @property
    def twice(self): return self.k * 2
    @classmethod
    def of_class(cls): return cls.factor
    @staticmethod
    def still(v=1.5): return v
    def __call__(self, v): return v + self.k
    def __getitem__(self, i): return self.k + i
    def __len__(self): return int(self.k * 4)
    def __add__(self, v): return self.k + v
    def __bool__(self): return self.k > 1
    def __eq__(self, other): return isinstance(other, Base#) and self.k == other.k
    def __hash__(self): return 3
    def __str__(self): return str(self.k)
    def __iter__(self): yield self.k; yield self.factor
    def __contains__(self, v): return v > self.k
class Alt#(Base#):
    factor = 4.0
    def scale(self, v): return v * 3
class Derived#(Base#):
    def __init__(self, k=1.0): self.k = k; self.inner = None
    def scale(self, v): return super().scale(v) + self.k
o# = Derived#(); o#.inner = Derived#(2.0); same# = o#.inner
def helper#(o, bonus=0.5, *, more=0.25): return o.inner.k + bonus + more
def other_helper#(o, bonus=0.5, *, more=0.25): return o.k - more
''',
        """o#.k ;; o#.twice ;; o#.scale(1.0) ;; o#.factor ;; type(o#).factor ;; vars(o#)['k'] ;; getattr(o#, 'k')
        o#.__dict__['k'] ;; o#.still() ;; o#.of_class() ;; o#(1.0) ;; o#[1] ;; len(o#) * 0.5 ;; o# + 1.0 ;; sum(o#)
        (1.0 if o# else 0.5) ;; (1.0 if 1.5 in o# else 0.5) ;; o#.inner.k ;; helper#(o#)
        (1.0 if o# == o#.inner else 2.0) ;; (1.0 if o#.inner is same# else 2.0) ;; float(str(o#.k))
        (1.0 if str(o#) == '1.0' else 2.0) ;; (1.0 if isinstance(o#, Alt#) else 2.0) ;; len(type(o#).__mro__) * 0.5
        copy.copy(o#).k ;; copy.deepcopy(o#).inner.k ;; operator.attrgetter('inner.k')(o#)
        operator.methodcaller('scale', 2.0)(o#) ;; (1.0 if hasattr(o#, 'extra') else 0.5) ;; getattr(o#, 'extra', 2.0)
        (1.0 if 'extra' in dir(o#) else 0.5) ;; len(type(o#).__name__) * 0.5 ;; (lambda f: f(2.0))(o#.scale)
        sum(map(o#.scale, [1.0, 2.0])) ;; Base#.scale(o#, 1.0) ;; Derived#.twice.fget(o#) ;; helper#.__defaults__[0]
        getattr(o#, 'tw' + 'ice') ;; (1.0 if issubclass(type(o#), Alt#) else 2.0)
        (1.0 if callable(getattr(o#, 'extra', None)) else 2.0)""",
        """o#.k = $ ;; o#.inner.k = $ ;; same#.k = $ ;; Base#.factor = $ ;; Derived#.factor = $
        if 'factor' in vars(Derived#): del Derived#.factor ;; o#.factor = $ ;; o#.scale = lambda v: v * $
        Base#.scale = lambda self, v: v * $ ;; Derived#.scale = lambda self, v: v * $ ;; o#.inner = Derived#($)
        o#.__class__ = Alt# ;; o#.__class__ = Derived# ;; o#.__class__ = Other# ;; Derived#.__bases__ = (Alt#,)
        Derived#.__bases__ = (Base#,) ;; Base#.twice = property(lambda self: $) ;; o#.__dict__['k'] = $
        vars(o#).update(k=$) ;; setattr(o#, 'extra', $) ;; o#.__dict__.pop('extra', None)
        helper#.__defaults__ = ($,) ;; helper#.__kwdefaults__ = {'more': $}
        helper#.__code__ = other_helper#.__code__ ;; Base#.still.__defaults__ = ($,)
        Base#.still = staticmethod(lambda v=$: v) ;; Base#.__call__ = lambda self, v: v * $
        Base#.__len__ = lambda self: 3 ;; Base#.__add__ = lambda self, v: v * $
        Derived#.__bool__ = lambda self: False ;; Base#.__eq__ = lambda self, other: True
        Base#.__iter__ = lambda self: iter([$]) ;; o# = Derived#($) ;; Derived#.__name__ = 'Longer'
        o#.scale = types.MethodType(lambda self, v: v + self.k, o#) ;; Derived#.extra = $
        Derived#.__getattr__ = lambda self, name: $ ;; Base#.__str__ = lambda self: '$' ;; o#.inner = o#
        Base#.of_class = classmethod(lambda cls: $)""",
        "o#.k = 2.0 ;; o#.inner.k += 1.0 ;; o#.fresh = 1.0 ;; Base#.factor = 8.0 ;; vars(o#)['k'] = 5.0",
    ),
    "dataclasses": state(
        '''
@dataclasses.dataclass
class Config#:
    k: float = 1.0
    more: object = None
@dataclasses.dataclass(frozen=True)
class Frozen#:
    k: float = 1.0
    more: object = None
@dataclasses.dataclass(slots=True)
class Slim#:
    k: float = 1.0
    more: object = None
cf#, fz#, sm# = Config#(2.0, Config#()), Frozen#(2.0, [1.0]), Slim#(2.0, Slim#())
''',
        """cf#.k ;; cf#.more.k ;; fz#.k ;; fz#.more[0] ;; sm#.k ;; sm#.more.k ;; dataclasses.replace(cf#, k=3.0).more.k
        dataclasses.asdict(cf#)['k'] ;; dataclasses.astuple(sm#)[0]
        (1.0 if cf# == Config#(2.0, Config#()) else 2.0) ;; (1.0 if cf# == cf#.more else 2.0)
        sum(getattr(cf#, f.name) for f in dataclasses.fields(cf#)[:1]) ;; float(repr(sm#).count('0'))""",
        """cf#.k = $ ;; cf#.more.k = $ ;; cf#.more = Config#($) ;; fz#.more[0] = $
        fz# = dataclasses.replace(fz#, k=$)
        object.__setattr__(fz#, 'k', $) ;; sm#.k = $ ;; sm#.more.k = $ ;; sm#.more = Slim#($)
        sm# = Slim#($, sm#.more) ;; cf# = dataclasses.replace(cf#) ;; cf# = Config#($, Config#($))""",
        "cf#.k = 7.0 ;; sm#.more.k = 2.0 ;; sm#.k += 1.0",
    ),
    "enum": state(
        '''
class Mode#(enum.Enum):
    A = 1.0
    B = 2.0
class Flag#(enum.IntFlag):
    X = 1
    Y = 2
e# = Mode#.A; f# = Flag#.X
''',
        """e#.value ;; (0.5 if e# is Mode#.A else 0.75) ;; (0.5 if e# == Mode#.B else 0.75)
        {Mode#.A: 1.0, Mode#.B: 3.0}[e#] ;; len(e#.name) + 0.5 ;; float(f#) ;; (1.0 if Flag#.Y in f# else 2.0)
        Mode#['A'].value ;; Mode#(2.0).value""",
        "e# = Mode#.B ;; e# = Mode#.A ;; f# |= Flag#.Y ;; f# = Flag#.X ;; Mode#.A._value_ = $",
    ),
    "named tuple": state(
        '''
Pair# = collections.namedtuple('Pair#', 'a b', defaults=(1.0,))
nt# = Pair#(1.0, [2.0])
''',
        "nt#.a ;; nt#[0] ;; nt#.b[0] ;; nt#._asdict()['a'] ;; (lambda a, b: a)(*nt#) ;; sum(nt#[:1]) ;; Pair#(2.0).b",
        "nt# = nt#._replace(a=$) ;; nt#.b[0] = $ ;; nt# = Pair#($, [$]) ;; Pair#.__new__.__defaults__ = ($,)",
        "nt#.b.append(1.0)",
    ),
    "slots": state(
        '''
class Slotted#:
    __slots__ = ('k', 'unset', '__weakref__')
    def __init__(self): self.k = 1.0
sl1# = Slotted#(); sl2# = Slotted#()
''',
        """sl1#.k ;; (1.0 if hasattr(sl1#, 'unset') else 2.0) ;; getattr(sl1#, 'unset', 0.5) ;; sl2#.k
        (1.0 if sl1# is sl2# else 2.0)""",
        "sl1#.k = $ ;; sl1#.unset = $ ;; sl2# = sl1# ;; sl2#.k = $ ;; sl1# = Slotted#()",
        "sl1#.k = 3.0",
    ),
    "attributes by code": state(
        '''
class Lazy#:
    def __init__(self): self.table = {'foo': 1.0}
    def __getattr__(self, name): return self.table[name]
class Stored:
    def __init__(self): self.value = 1.0
    def __get__(self, instance, owner): return self.value
    def __set__(self, instance, v): self.value = v
class All#:
    field = Stored()
    hidden = {'k': 1.0}
    def __getattribute__(self, name):
        return object.__getattribute__(self, 'hidden').get(name) or object.__getattribute__(self, name)
class Meta#(type):
    level = 1.0
    def __call__(cls, *args): return super().__call__(*args)
    def __instancecheck__(cls, x): return cls.level > 1.0
    def __getitem__(cls, i): return cls.level + i
class Made#(metaclass=Meta#): pass
lz#, al# = Lazy#(), All#()
''',
        """lz#.foo ;; al#.field ;; al#.k ;; Made#.level ;; Made#[1] ;; (1.0 if isinstance(3, Made#) else 2.0)
        All#.field""",
        """lz#.table['foo'] = $ ;; al#.field = $ ;; All#.__dict__['field'].value = $ ;; All#.hidden['k'] = $
        Meta#.level = $ ;; Made#.level = $ ;; Lazy#.__getattr__ = lambda self, name: $ ;; lz#.foo = $""",
        "al#.field = 9.0 ;; lz#.table['bar'] = 1.0",
    ),
    "abstract": state(
        '''
class Abstract#(abc.ABC):
    @abc.abstractmethod
    def go(self): ...
class Registered#:
    def go(self): return 1.0
class Plain#: pass
ab# = Registered#()
@functools.singledispatch
def dispatch#(v): return 1.0
''',
        """(1.0 if isinstance(ab#, Abstract#) else 2.0) ;; dispatch#(3) ;; dispatch#('x') ;; ab#.go()
        (1.0 if issubclass(Plain#, Abstract#) else 2.0)""",
        """Abstract#.register(Registered#) ;; dispatch#.register(int)(lambda v: $) ;; Registered#.go = lambda self: $
        Abstract#.register(Plain#) ;; dispatch#.register(str)(lambda v: $)""",
    ),
    "namespaces": state(
        '''
ns# = types.SimpleNamespace(k=1.0, inner=types.SimpleNamespace(k=2.0))
md# = types.ModuleType('md#'); md#.k = 1.0; md#.f = lambda: md#.k
''',
        """ns#.k ;; ns#.inner.k ;; vars(ns#)['k'] ;; md#.k ;; md#.f() ;; (1.0 if ns# == ns#.inner else 2.0)
        getattr(md#, 'extra', 0.5)""",
        """ns#.k = $ ;; ns#.inner.k = $ ;; ns#.inner = types.SimpleNamespace(k=$) ;; md#.k = $ ;; md#.f = lambda: $
        md#.extra = $ ;; ns#.extra = 1.0 ;; ns# = types.SimpleNamespace(k=$, inner=ns#)""",
        "ns#.k = 4.0 ;; md#.k = 4.0",
    ),
    "weak": state(
        '''
class Target#:
    k = 1.0
tg# = [Target#(), Target#()]; wr# = weakref.ref(tg#[0]); wk# = weakref.WeakKeyDictionary({tg#[0]: 1.0, tg#[1]: 2.0})
wv# = weakref.WeakValueDictionary(a=tg#[0]); px# = weakref.proxy(tg#[1])
''',
        """wr#().k ;; wk#[tg#[0]] ;; wv#['a'].k ;; px#.k ;; len(wk#) * 0.5 ;; len(wv#) + 0.5
        (1.0 if wr#() is tg#[1] else 2.0)""",
        """tg#[0].k = $ ;; wr# = weakref.ref(tg#[1]) ;; wk#[tg#[0]] = $ ;; wv#['a'] = tg#[1] ;; tg#[1].k = $
        wk#.pop(tg#[1], None) ;; Target#.k = $ ;; wv#['b'] = tg#[1]""",
    ),
}  # fmt: skip
