"""Functions, tensors and layers with a state, for `tests.jit_programs`."""

from __future__ import annotations

from tests.jit_state import state

FUNCTIONS = {
    "closure": state(
        '''
def make#():
    c = 1.5
    held = [c]
    def get(): return c
    def put(v):
        nonlocal c
        c = v
    def inner(v=2.0): return [get() * v for _ in held]
    return get, put, inner, held
get#, put#, inner#, held# = make#()
''',
        """get#() ;; inner#()[0] ;; sum(inner#()) ;; inner#(v=3.0)[-1] ;; (lambda: get#() + 1)()
        get#.__closure__[0].cell_contents""",
        """put#($) ;; held#.append(1.0) ;; inner#.__defaults__ = ($,) ;; get# = lambda: $
        get#.__closure__[0].cell_contents = $""",
        "put#(3.0) ;; held#.append(2.0)",
    ),
    "function": state(
        '''
def fn#(v=1.0, *rest, k=0.5, **more): return v + k + sum(rest)
fn#.level = 2.0
def fo#(v=1.0, *rest, k=0.5, **more): return v * 3 - k
def deep#(n): return fn#(n) if n < 1 else deep#(n - 1) + 0.25
def gen#():
    for v in (1.0, 2.0): yield fn#(v)
def deco#(f):
    @functools.wraps(f)
    def wrapped(*args): return f(*args) * wrapped.times
    wrapped.times = 2.0
    return wrapped
@deco#
def decorated#(v): return v + 1.0
''',
        """fn#() ;; fn#(1.0, 2.0) ;; fn#.level ;; deep#(2) ;; sum(gen#()) ;; decorated#(1.0) ;; decorated#.times
        decorated#.__wrapped__(1.0) ;; (lambda f: f(1.0))(fn#) ;; [f(2.0) for f in (fn#, fo#)][0]
        len(fn#.__name__) * 0.5 ;; (1.0 if fn# is fo# else 2.0) ;; next(gen#()) ;; max([1.0, 2.0], key=fn#)
        fn#.__kwdefaults__['k'] ;; len(fn#.__doc__ or '') * 0.5""",
        """fn#.__defaults__ = ($,) ;; fn#.__kwdefaults__ = {'k': $} ;; fn#.__kwdefaults__['k'] = $
        fn#.__code__ = fo#.__code__ ;; fn#.level = $ ;; fn# = fo# ;; decorated#.times = $ ;; fn#.__name__ = 'other'
        fn#.__doc__ = 'abcd' ;; fn# = lambda v=$, *rest, k=0.5: v + k ;; fo# = fn#
        decorated#.__wrapped__ = lambda v: v * $ ;; gen# = lambda: iter([$])""",
        "fn#.level = 3.0 ;; fn#.fresh = 1.0 ;; decorated#.times += 1",
    ),
    "partial": state(
        '''
def mul#(a, b=1.0, *, c=1.0): return a * b + c
pt# = functools.partial(mul#, 2.0); pt2# = functools.partial(pt#, c=0.5); parts# = [pt#]
class HasPartial#:
    k = 1.0
    def f(self, a, b): return a * b + self.k
    g = functools.partialmethod(f, 2.0)
hp# = HasPartial#()
''',
        """pt#(1.0) ;; pt2#(2.0) ;; pt#.args[0] ;; pt2#.keywords['c'] ;; parts#[0](3.0) ;; hp#.g(2.0) ;; pt#.func(1.0)
        sum(map(pt#, [1.0, 2.0]))""",
        """pt# = functools.partial(mul#, $) ;; pt2#.keywords['c'] = $ ;; pt#.__setstate__((mul#, ($,), {}, None))
        mul#.__defaults__ = ($,) ;; hp#.k = $ ;; mul#.__kwdefaults__ = {'c': $}
        HasPartial#.g = functools.partialmethod(HasPartial#.f, $)
        pt#.__setstate__((mul#, (2.0,), {'c': $}, None))""",
        "pt2#.keywords['c'] = 4.0",
    ),
    "remembered": state(
        '''
base# = 1.0
@functools.lru_cache(maxsize=None)
def cached#(v): return v * base#
@functools.cache
def cached2#(): return [base#]
class Once#:
    k = 1.0
    @functools.cached_property
    def value(self): return self.k * 2
    @functools.lru_cache
    def of(self, v): return v + self.k
on# = Once#()
''',
        "cached#(1.0) ;; cached#(2.0) ;; cached2#()[0] ;; on#.value ;; on#.of(1.0) ;; cached#.__wrapped__(1.0)",
        """base# = $ ;; cached#.cache_clear() ;; base# = $; cached#(1.0); base# = 1.0
        cached#.cache_clear(); base# = $; cached#(1.0); cached#(2.0); base# = 1.0 ;; on#.k = $
        vars(on#).pop('value', None) ;; on# = Once#() ;; on#.value = $ ;; cached2#()[0] = $
        cached2#.cache_clear(); base# = $; cached2#(); base# = 0.5 ;; Once#.of.cache_clear()
        Once#.of.cache_clear(); on#.k = $; on#.of(1.0); on#.k = 1.0 ;; cached#(5.0) ;; cached#(2.0)""",
    ),
    "hidden in C": state(
        '''
ig# = operator.itemgetter(1); ag# = operator.attrgetter('k'); cv# = contextvars.ContextVar('cv#', default=1.0)
tl# = threading.local(); tl#.k = 1.0
pairs# = [1.0, 2.0, 3.0]
it# = itertools.cycle([1.0, 2.0]); rep# = itertools.repeat(1.0)
class Keyed#:
    k = 1.0
ky# = Keyed#(); mt# = ky#.__class__; pr# = property(lambda self: 1.0); gi# = iter([])
sort# = functools.cmp_to_key(lambda a, b: a - b)
''',
        """ig#(pairs#) ;; ag#(ky#) ;; cv#.get() ;; tl#.k ;; mt#.k ;; pr#.fget(None) ;; next(rep#)
        sorted(pairs#, key=sort#)[0] ;; list(zip(pairs#, pairs#))[0][1] ;; list(itertools.chain(pairs#, [1.0]))[0]
        list(filter(None, pairs#))[0]""",
        """ig# = operator.itemgetter(2) ;; ky#.k = $ ;; Keyed#.k = $ ;; cv#.set($) ;; tl#.k = $ ;; pairs#[1] = $
        ag# = operator.attrgetter('k.real') ;; sort# = functools.cmp_to_key(lambda a, b: b - a)
        rep# = itertools.repeat($) ;; pr# = property(lambda self: $)""",
        "cv#.set(2.0) ;; tl#.k = 2.0 ;; next(it#)",
    ),
    "numbers for names": state(
        "first#, second# = [1.0], [2.0]; table# = {id(first#): 1.0, id(second#): 2.0}; pick# = first#",
        """table#[id(pick#)] ;; table#.get(id(second#), 0.5) ;; pick#[0] ;; (1.0 if id(pick#) == id(first#) else 2.0)
        (1.0 if hash((1, 2)) == hash((1, 2)) else 2.0)""",
        """pick# = second# ;; pick# = first# ;; table#[id(first#)] = $ ;; pick#[0] = $
        first#, second# = second#, first#""",
    ),
}  # fmt: skip

TENSORS = {
    "tensor": state(
        "w# = Tensor([1.0, 2.0])",
        """w# ;; w#.sum() ;; w#[0] ;; w# * w# ;; (1.0 if w#.requires_grad else 0.5) ;; (1.0 if w#.grad is None else 2.0)
        w#.shape[0] * 0.5 ;; w#.T ;; w#.detach() ;; (1.0 if w#.dtype is dtypes.float32 else 2.0)
        (1.0 if w#.is_leaf else 2.0) ;; w#.clone() ;; copy.copy(w#) ;; copy.deepcopy(w#)
        w#.reshape(2, 1).reshape(2) ;; w#[1:].sum() ;; w#.relu() - w#.tanh()""",
        """w# = Tensor([$, $]) ;; w#.assign(Tensor([$, $])) ;; w#.requires_grad = True ;; w#.requires_grad = False
        w#.fill_($) ;; w# = w#.clone() ;; w#.grad = Tensor([$, $]) ;; w#.grad = None ;; w# = (w# * 1).detach()
        w# = Tensor([$, $], requires_grad=True)""",
        """w#.assign(w# * 0.5 + 1) ;; w# += 0.25 ;; w# = w# + 0.5 ;; with no_grad(): w#.add_(0.25)
        with no_grad(): w#.copy_(x) ;; (w# * x).sum().backward() ;; w#.grad = None ;; w#.zero_()
        w#.requires_grad = True ;; w#.grad = Tensor([1.0, 2.0])""",
    ),
    "leaf": state(
        "v# = Tensor([0.5, 2.0], requires_grad=True); alias# = v#; both# = [v#, v#]",
        """v# ;; v# * v# ;; (v#.grad if v#.grad is not None else 1.0) ;; (1.0 if v#.grad is None else 2.0)
        both#[0] + both#[1] ;; (1.0 if both#[0] is alias# else 2.0) ;; v#.detach() * v# ;; (v# * 2).relu()""",
        """v#.grad = None ;; v#.requires_grad = False ;; v#.requires_grad = True ;; both#[1] = Tensor([$, $])
        v# = Tensor([$, $], requires_grad=True) ;; v#.grad = Tensor([$, $]) ;; with no_grad(): v#.add_($)
        both#[0] = v# ;; both#.reverse() ;; v#.detach_()""",
        """(v# * v# * x).sum().backward() ;; v#.grad = None
        with no_grad(): v#.sub_((v#.grad if v#.grad is not None else 0) * 0.5) ;; (both#[1] * x).sum().backward()
        with no_grad(): v#.mul_(0.5) ;; with no_grad(): (v#.grad if v#.grad is not None else v#).zero_()""",
    ),
    "views": state(
        "m# = Tensor([[1.0, 2.0], [3.0, 4.0]]); row# = m#[0]; same# = m#.reshape(4)",
        "m#[0] ;; m#.sum(1) ;; row# ;; same#[1:3] ;; m#.T[0] ;; (m# @ m#)[0]",
        """m# = Tensor([[$, 1.0], [2.0, $]]) ;; row# = m#[1] ;; m#.fill_($) ;; same# = m#.T.reshape(4)
        row# = Tensor([$, $]) ;; m#.assign(m# * 0.5)""",
        "m# += 1.0 ;; row# = m#[1] ;; row#.add_(1.0)",
    ),
    "random": state(
        "rn# = 3",
        """Tensor.rand(2) ;; Tensor.randn(2) ;; Tensor.randint(0, 5, (2,)) * 0.5 ;; x.dropout(0.5)
        Tensor.rand(2) * Tensor.rand(2)""",
        "manual_seed(7) ;; rn# = 4 ;; Tensor.rand(3)",
        "manual_seed(3) ;; manual_seed(rn#)",
    ),
    "layers": state(
        '''
class Own#(nn.Module):
    def __init__(self):
        super().__init__()
        self.lin, self.times, self.bn = nn.Linear(2, 2), 0.5, nn.BatchNorm1d(2)
        self.register_buffer('buf', Tensor([1.0, 0.5]))
        self.more = [nn.Linear(2, 2)]
    def forward(self, v):
        return self.lin(v) * self.times + self.buf if self.training else self.lin(v) - self.buf
ow# = Own#(); seq# = nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.5), nn.Tanh())
''',
        """ow#(x) ;; seq#(x) ;; ow#.lin(x) ;; ow#.bn(x.reshape(1, 2).expand(3, 2))[0] ;; (1.0 if ow#.training else 0.5)
        len(seq#) * 0.5 ;; seq#[0].weight[0] ;; ow#.more[0](x) ;; sum(p.sum() for p in ow#.parameters())
        len(ow#.state_dict()) * 0.5 ;; ow#.buf
        (seq#[0].weight.grad.sum() if seq#[0].weight.grad is not None else 1.0) ;; seq#[:1](x)
        sum(p.requires_grad for p in seq#.parameters()) * 0.5 ;; len([*ow#.named_parameters()]) * 0.5
        len(str(seq#)) * 0.125""",
        """ow#.eval() ;; ow#.train() ;; seq#.eval() ;; seq#.train() ;; ow#.times = $ ;; ow#.lin = nn.Linear(2, 2)
        seq#[0].weight.requires_grad = False ;; seq#[0].weight.requires_grad = True
        ow#.lin.weight = ow#.more[0].weight ;; ow#.forward = lambda v: v * $ ;; Own#.forward = lambda self, v: v * $
        ow#.buf = Tensor([$, $]) ;; ow#.lin.bias = None ;; seq#[1].p = 0.25 ;; seq#[1] = nn.ReLU() ;; ow#.bn.eval()
        ow#.bn.momentum = 0.5 ;; ow#.extra = nn.Linear(2, 2) ;; seq#.zero_grad() ;; seq#.append(nn.ReLU())
        ow#.more[0] = nn.Linear(2, 2) ;; seq#.load_state_dict({k: v + 1 for k, v in seq#.state_dict().items()})
        seq#.requires_grad_(False) ;; ow#.lin.weight.fill_($)""",
        """seq#(x).sum().backward() ;; ow#.lin(x).sum().backward() ;; seq#.zero_grad() ;; ow#.eval()
        with no_grad(): ow#.lin.weight.mul_(0.5) ;; ow#.times += 1 ;; ow#.buf = x * 1""",
    ),
}  # fmt: skip
