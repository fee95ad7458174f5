"""Which memory the results of a replay share, as those of the plain call do: writes through them are errors there too
(see `aliases`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from lazygrad.ops.aliases import Alias, Family, alias_of, first_of
from lazygrad.ops.core import Core
from lazygrad.ops.jit_places import Place, Relation
from lazygrad.ops.jit_watch import Held
from lazygrad.ops.layout import Memory, unknown


def relations_of(made: Sequence[Alias | None], held: Sequence[Held], place: Callable[[Place], int]) -> list[Relation]:
    """What tensors with these aliases, made by a call, have in common with each other and with those `held`."""
    families: dict[Family, list[tuple[int, Alias]]] = {}
    for number, alias in enumerate(made):
        if alias is not None:
            families.setdefault(alias.family, []).append((number, alias))
    relations = []
    for family, members in families.items():
        known = [(a, h.place) for h in held if (a := h.tensor._alias) is not None and a.family is family]
        if known or len(members) > 1:
            members.sort(key=lambda member: member[1].number)
            first, base = min(known, key=lambda k: k[0].number) if known else (members[0][1], None)
            relations.append(_relation(first, -1 if base is None else place(base), members))
    return relations


def _relation(first: Alias, base: int, members: Sequence[tuple[int, Alias]]) -> Relation:
    """Without the family itself, which a trace must not keep: its members are counted by references."""
    memories = [first.find_layout().memory]  # a view that would have to be a copy has one of its own
    described = []
    for number, alias in members:
        layout = alias.find_layout()
        if layout.memory not in memories:
            memories.append(layout.memory)
        described.append((number, alias.change, memories.index(layout.memory), layout._replace(memory=_NOWHERE)))
    orders = tuple(memory.row_major for memory in memories)
    return Relation(base, first.find_layout()._replace(memory=_NOWHERE), tuple(described), orders)


_NOWHERE = Memory()


def relate(relation: Relation, base: Core | None, made: Mapping[int, Core]) -> None:
    """Make the results of a replay members of one family, which is that of `base` if there is one.

    Where `base` lies in another order than it did when traced, its views may touch everything.
    """
    first = first_of(relation.first.shape, relation.orders[0]) if base is None else alias_of(base)
    layout = first.find_layout()
    as_traced = layout[1:] == relation.first[1:] and layout.memory.row_major is relation.orders[0]
    memories = [layout.memory, *map(Memory, relation.orders[1:])]
    for number, change, memory, before in relation.members:
        if (t := made.get(number)) is not None:
            t._alias = Alias(first.family, None, change, None)
            if base is None or as_traced:
                t._alias.layout = before._replace(memory=memories[memory], shape=t.node.shape)
            else:
                t._alias.layout = unknown(layout, t.node.shape)
