"""How functions are written and called, for `tests.jit_programs`: as source."""

from __future__ import annotations

from tests.jit_state import state

# What programs have besides: arguments that are no tensors, and what stays the same tensor.
EXTRA = """
class Argument:
    def __init__(self): self.k = 1.0; self.t = Tensor([1.0, 0.5])
some, list_argument, dict_argument, stays = Argument(), [1.0, 2.0], {'k': 1.0}, Tensor([2.0, 1.0])
def extra(e):
    if isinstance(e, (int, float)): return e
    if isinstance(e, Tensor): return e.sum()
    if isinstance(e, str): return float(len(e))
    if isinstance(e, Argument): return e.t.sum() * e.k
    if isinstance(e, dict): return sum(extra(v) for v in e.values())
    return sum(map(extra, e)) if e else 1.0
"""
EXTRA_CHANGES = (
    "some.k = $", "some.t = Tensor([$, 1.0])", "some.t.fill_($)", "list_argument[0] = $", "list_argument.append($)",
    "dict_argument['k'] = $", "dict_argument['z'] = $", "stays.fill_($)", "stays.requires_grad = True",
    "stays.grad = None", "extra = lambda e: $", "some = Argument()", "float = lambda v: $",
    "globals().pop('float', None)",
)  # fmt: skip
ARGUMENTS = (
    "call(Tensor([$, $], requires_grad=True))", "call(Tensor([[$, 1.0]]).reshape(2))", "call(stays)",
    "call(stays * 1)",
    "call(Tensor([$, $]), $)", "call(Tensor([$, $]), e='abc')", "call(stays, stays)",
    "call(Tensor([$, $]), list_argument)",
    "call(Tensor([$, $]), dict_argument)", "call(Tensor([$, $]), e=some)", "call(x=Tensor([$, $]), e=(1.0, stays))",
    "call(some.t, some)", "call(Tensor([$, 1.0]).detach(), {'t': stays, 'u': [stays]})", "call(Tensor([$, 1]), True)",
    "call(Tensor([$, 1]), 1)", "call(stays[:], [stays])", "call(Tensor([$, $]), iter_of(list_argument))",
)  # fmt: skip
FORMS = (
    "@wrap\ndef call(x, e=1.0):\nBODY",
    "def call(x, e=1.0):\nBODY\ncall = wrap(call)",
    "def make_call(own):\n    @wrap\n    def call(x, e=1.0, more=own):\nBODY\n    return call\ncall = make_call(2.0)",
    "class Holder:\n    @wrap\n    def go(self, x, e=1.0):\nBODY\nholder = Holder()\ncall = holder.go",
    "class Holder:\n    def __call__(self, x, e=1.0):\nBODY\ncall = wrap(Holder())",
    "class Holder:\n    def go(self, x, e=1.0):\nBODY\nholder = Holder()\ncall = wrap(holder.go)",
    "class Holder(nn.Module):\n    def forward(self, x, e=1.0):\nBODY\ncall = wrap(Holder())",
    "def call(x, e=1.0, bonus=0.5):\nBODY\ncall = wrap(functools.partial(call, bonus=2.0))",
)
# Definitions for NAME in the module, and the expression that reaches what is read there.
ROUTES = (
    ("", "READ"), ("", "READ"), ("", "READ"), ("", "(lambda: READ)()"), ("", "[READ for _ in range(1)][0]"),
    ("", "next(READ for _ in range(1))"), ("", "(READ if True else 0.5)"), ("", "max([READ], key=lambda v: 1)"),
    ("def NAME(x, e): return READ", "NAME(x, e)"),
    ("def NAME(x, e, again=1): return NAME(x, e, 0) if again else READ", "NAME(x, e)"),
    ("class NAME:\n    @property\n    def p(self): return READ\nNAMEo = NAME()", "NAMEo.p"),
    ("class NAME:\n    def __call__(self): return READ\nNAMEo = {'a': [NAME()]}", "NAMEo['a'][0]()"),
    ("class NAME:\n    @staticmethod\n    def go(): return READ", "NAME.go()"),
    ("class NAMEb:\n    def go(self): return READ\nclass NAME(NAMEb):\n    def go(self): return super().go()",
     "NAME().go()"),
    ("def NAME():\n    yield READ", "list(NAME())[0]"),
    ("def NAME():\n    try: raise KeyError(READ)\n    except KeyError as error: return error.args[0]", "NAME()"),
    ("NAME = [lambda: READ]", "NAME[0]()"),
    ("NAME = functools.partial(lambda a: READ, 1)", "NAME()"),
    ("class NAME:\n    def __enter__(self): return READ\n    def __exit__(self, *a): pass\n"
     "def NAMEf():\n    with NAME() as v: return v", "NAMEf()"),
    ("class NAME:\n    def __getattr__(self, name): return READ\nNAMEo = NAME()", "NAMEo.anything"),
    ("class NAME(nn.Module):\n    def forward(self): return READ\nNAMEo = NAME()", "NAMEo()"),
    ("def NAME():\n    match READ:\n        case v: return v", "NAME()"),
)  # fmt: skip
USES = (
    ["y = y + READ"], ["y = y * READ"], ["y = y - READ * 0.5"], ["y += READ"],
    ["r = READ", "if not isinstance(r, Tensor) and r > 1: y = y * 2"],
    ["y = y + READ * extra(e)"], ["y = y.where(y > 0, READ)"],
    ["for part in (READ, 1.0): y = y + part"], ["y = (y * READ).relu()"], ["y = y + (READ) * x"],
)  # fmt: skip
RESULTS = (
    "y", "y", "y", "y, y", "{'y': y, 'x': x}", "[y, e]", "y, READ", "y.sum(), [y, {'z': (y * 2,)}]", "READ", "y[0]",
)  # fmt: skip

# What a function asks of its arguments: it is read where they are known.
ASKED = state(
    "kept# = [stays, list_argument]; ids# = {id(stays): 2.0, id(list_argument): 3.0}",
    """(1.0 if x is stays else 2.0) ;; (1.0 if e is list_argument else 2.0) ;; (1.0 if e is x else 2.0)
    ids#.get(id(x), 1.0) ;; ids#.get(id(e), 1.0) ;; (1.0 if any(v is stays for v in (x, e)) else 2.0)
    (1.0 if hash(x) == hash(stays) else 2.0) ;; (1.0 if e is some else 3.0) ;; (1.0 if isinstance(e, list) else 2.0)
    (1.0 if x.requires_grad else 0.5) ;; (1.0 if e == 1 else 0.5) ;; (1.0 if e is True else 0.5)
    len(str(type(e))) * 0.125 ;; (1.0 if x.grad is None else 2.0)""",
    """list_argument = [1.0, 3.0]; kept#.append(list_argument) ;; stays = Tensor([1.0, 4.0]); kept#.append(stays)
    ids#[id(stays)] = $""",
)
