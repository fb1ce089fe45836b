"""Says in which clauses two versions of a flow's SQL differ, with sqlglot, for people to read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from sqlglot import exp, parse_one
from sqlglot.errors import ErrorLevel, SqlglotError

from seeknal.engine.render import PLACEHOLDERS, Value, template
from seeknal.engine.statement import normal, require_select
from seeknal.errors import PermanentQueryError

_DIALECT = "duckdb"
_LONGEST = 70
_NONE = "none"
_CLAUSES = {
    "from": "from", "distinct": "distinct", "group": "group by", "order": "order by",
    "limit": "limit", "offset": "offset", "sample": "sample", "windows": "window",
}  # fmt: skip
_FILTERS = {"where": "filter", "having": "having", "qualify": "qualify"}
# What sqlglot raises at SQL that DuckDB knows and it does not, and at what neither thought of.
_NOT_UNDERSTOOD = (
    SqlglotError, AttributeError, IndexError, KeyError, TypeError, ValueError, RecursionError,
)  # fmt: skip


def explain(before: Sequence[str], now: Sequence[str]) -> tuple[str, ...]:
    """Return what differs between the steps of two versions, a line each.

    ``filter: amount > 0 -> amount >= 0``. Empty if sqlglot cannot read one of them, or sees no
    difference: whether there is one, DuckDB's own tree decides.
    """
    try:
        return tuple(dict.fromkeys(_steps(before, now)))
    except _NOT_UNDERSTOOD:
        return ()


def _steps(before: Sequence[str], now: Sequence[str]) -> Iterator[str]:
    old, new = [_parse(step) for step in before], [_parse(step) for step in now]
    first = 0
    while first < min(len(old), len(new)) and _text(old[first]) == _text(new[first]):
        first += 1
    last = 0
    while last < min(len(old), len(new)) - first and _text(old[-1 - last]) == _text(new[-1 - last]):
        last += 1
    old_middle, new_middle = old[first : len(old) - last], new[first : len(new) - last]
    if len(old_middle) != len(new_middle):
        yield f"steps: {len(old)} -> {len(new)}"
        return
    for number, (a, b) in enumerate(zip(old_middle, new_middle, strict=True), first + 1):
        yield from _queries(a, b, f"step {number}: " if len(new) > 1 else "")


def _parse(step: str) -> exp.Expr:
    """Parse a step, its placeholders in quotes however they were written."""
    markers = {name: Value(f"'{name}'", name) for name in PLACEHOLDERS}
    tree = parse_one(template(step).fill(markers), dialect=_DIALECT)
    for identifier in tree.find_all(exp.Identifier):
        if exp.SAFE_IDENTIFIER_RE.match(identifier.name):
            identifier.set("quoted", False)  # DuckDB does not tell a quoted name from a bare one
    return tree


def _queries(old: exp.Expr, new: exp.Expr, place: str) -> Iterator[str]:
    old, new = _bare(old), _bare(new)
    if _text(old) == _text(new):
        return
    if isinstance(old, exp.Query) and isinstance(new, exp.Query):
        yield from _ctes(old, new, place)
    if isinstance(old, exp.Select) and isinstance(new, exp.Select):
        yield from _selects(old, new, place)
    elif isinstance(old, exp.SetOperation) and isinstance(new, exp.SetOperation):
        yield from _set_operations(old, new, place)
    else:
        yield _edit(f"{place}query", old, new)


def _bare(query: exp.Expr) -> exp.Expr:
    """Return a query without the parentheses around it."""
    while isinstance(query, exp.Subquery) and query.is_wrapper:
        query = query.this
    return query


def _ctes(old: exp.Query, new: exp.Query, place: str) -> Iterator[str]:
    before, now = _by_name(old.ctes), _by_name(new.ctes)
    for name in _gone(before, now):
        yield f"{place}CTE removed: {name}"
    for name in _gone(now, before):
        yield f"{place}CTE added: {name}"
    for name in (each for each in before if each in now):
        inner = list(_queries(before[name].this, now[name].this, f"{place}in {name}: "))
        yield from inner
        if not inner and _text(before[name]) != _text(now[name]):
            yield _edit(f"{place}CTE", before[name], now[name])


def _set_operations(old: exp.SetOperation, new: exp.SetOperation, place: str) -> Iterator[str]:
    before, now = _branches(old), _branches(new)
    kinds = [_operators(old), _operators(new)]
    if kinds[0] != kinds[1]:
        yield f"{place}{_shown(kinds[0])} -> {_shown(kinds[1])}"
    if len(before) == len(now):
        for number, (a, b) in enumerate(zip(before, now, strict=True), 1):
            yield from _queries(a, b, f"{place}SELECT {number}: ")
    yield from _clauses(old, new, place, {"this", "expression", "distinct", "by_name", "with_"})


def _branches(query: exp.Expr) -> list[exp.Expr]:
    if not isinstance(query, exp.SetOperation):
        return [query]
    return [*_branches(query.this), *_branches(query.expression)]


def _operators(query: exp.Expr) -> str:
    """Return the operators between the branches of a query: ``UNION ALL, EXCEPT``."""
    if not isinstance(query, exp.SetOperation):
        return ""
    words = [type(query).__name__.upper()]
    words += ["ALL"] if not query.args.get("distinct") else []
    words += ["BY NAME"] if query.args.get("by_name") else []
    inner = (_operators(query.this), " ".join(words), _operators(query.expression))
    return ", ".join(each for each in inner if each)


def _selects(old: exp.Select, new: exp.Select, place: str) -> Iterator[str]:
    yield from _columns(old, new, place)
    yield from _sources(old, new, place)
    for key, label in _FILTERS.items():
        yield from _conditions(old.args.get(key), new.args.get(key), f"{place}{label}")
    seen = {"expressions", "from", "from_", "joins", "with", "with_", *_FILTERS}
    yield from _clauses(old, new, place, seen)


def _columns(old: exp.Select, new: exp.Select, place: str) -> Iterator[str]:
    before, now = _projections(old), _projections(new)
    if len(before) < len(old.expressions) or len(now) < len(new.expressions):
        if _list(old.expressions) != _list(new.expressions):  # two columns of one name
            yield _edit(f"{place}columns", _list(old.expressions), _list(new.expressions))
        return
    added = {name: now[name] for name in _gone(now, before)}
    for name in _gone(before, now):
        other = next((a for a, value in added.items() if _same(value, before[name])), None)
        if other is None:
            yield f"{place}column removed: {name}"
        else:
            yield f"{place}column renamed: {name} -> {other}"
            del added[other]
    for name, value in added.items():
        what = "" if _text(value) == name else f" = {_shown(_text(value))}"
        yield f"{place}column added: {name}{what}"
    common = [name for name in before if name in now]
    for name in common:
        if not _same(before[name], now[name]):
            yield _edit(f"{place}column {name}", before[name], now[name])
    if common != [name for name in now if name in before]:
        yield f"{place}columns in another order"


def _projections(select: exp.Select) -> dict[str, exp.Expr]:
    """Return what a SELECT's columns are computed by; one without a name is its own name."""
    found: dict[str, exp.Expr] = {}
    for each in select.expressions:
        name = "*" if each.is_star else each.alias_or_name or _shown(_text(each))
        found[name] = each.unalias()
    return found


def _sources(old: exp.Select, new: exp.Select, place: str) -> Iterator[str]:
    yield from _relations(_from(old), _from(new), f"{place}from", place)
    before, now = _by_name(old.args.get("joins")), _by_name(new.args.get("joins"))
    for name in _gone(before, now):
        yield f"{place}join removed: {_shown(_join(before[name]))}"
    for name in _gone(now, before):
        yield f"{place}join added: {_shown(_join(now[name]))}"
    for name in (each for each in before if each in now):
        inner = list(_relations(before[name].this, now[name].this, f"{place}join", place))
        yield from inner
        if not inner and _text(before[name]) != _text(now[name]):
            yield _edit(f"{place}join", _join(before[name]), _join(now[name]))


def _relations(old: exp.Expr | None, new: exp.Expr | None, label: str, place: str) -> Iterator[str]:
    if _text(old) == _text(new):
        return
    if (
        isinstance(old, exp.Subquery)
        and isinstance(new, exp.Subquery)
        and old.alias_or_name == new.alias_or_name
    ):
        inside = f"in {new.alias_or_name}: " if new.alias_or_name else ""
        yield from _queries(old.this, new.this, f"{place}{inside}")
    else:
        yield _edit(label, old, new)


def _from(select: exp.Select) -> exp.Expr | None:
    found = select.args.get("from_") or select.args.get("from")  # by sqlglot's version
    return found.this if found else None


def _join(join: exp.Expr) -> str:
    return _text(join).removeprefix(", ")


def _conditions(old: exp.Expr | None, new: exp.Expr | None, label: str) -> Iterator[str]:
    """Yield the terms of an AND that differ, whatever their order."""
    before, now = _terms(old), _terms(new)
    gone, came = _apart(before, now), _apart(now, before)
    for term in list(gone):
        twin = _twin(term, gone, came)
        if twin is not None:
            gone.remove(term)
            came.remove(twin)
            if not _same(term, twin):
                yield _edit(label, term, twin)
    for term in gone:
        yield f"{label} removed: {_shown(_text(term))}"
    for term in came:
        yield f"{label} added: {_shown(_text(term))}"


def _terms(clause: exp.Expr | None) -> list[exp.Expr]:
    if clause is None:
        return []
    condition = clause.this.unnest()
    return list(condition.flatten()) if isinstance(condition, exp.And) else [condition]


def _apart(terms: list[exp.Expr], others: list[exp.Expr]) -> list[exp.Expr]:
    """Return the terms that ``others`` lacks."""
    left = Counter(_text(other) for other in others)
    apart = []
    for term in terms:
        if left[_text(term)]:
            left[_text(term)] -= 1
        else:
            apart.append(term)
    return apart


def _twin(term: exp.Expr, gone: list[exp.Expr], came: list[exp.Expr]) -> exp.Expr | None:
    """Return the new term that took an old one's place: that of the same columns, or the only."""
    names = {column.name for column in term.find_all(exp.Column)}
    alike = [c for c in came if {column.name for column in c.find_all(exp.Column)} == names]
    if len(gone) == len(came) == 1:
        return came[0]
    return alike[0] if alike else None


def _clauses(old: exp.Expr, new: exp.Expr, place: str, seen: set[str]) -> Iterator[str]:
    """Yield the clauses that differ and that nobody has looked at yet."""
    for key in dict.fromkeys([*old.args, *new.args]):
        if key in seen:
            continue
        label = _CLAUSES.get(key, key.strip("_").replace("_", " "))
        before, now = (_clause(tree.args.get(key), label) for tree in (old, new))
        if before != now:
            yield _edit(f"{place}{label}", before, now)


def _clause(value: object, label: str) -> str:
    """Return a clause's text without the words that begin it."""
    if isinstance(value, list):
        return _list(value)
    text = _text(value) if isinstance(value, exp.Expr) else str(value or "")
    bare = text[len(label) :] if text.lower().startswith(label) else text
    return bare.strip() or text


def _edit(label: str, old: exp.Expr | str | None, new: exp.Expr | str | None) -> str:
    if isinstance(old, exp.Expr) and isinstance(new, exp.Expr):
        old, new = _narrowed(old, new)
    before, now = (each if isinstance(each, str) else _text(each) for each in (old, new))
    return f"{label}: {_shown(before)} -> {_shown(now)}"


def _narrowed(old: exp.Expr, new: exp.Expr) -> tuple[exp.Expr, exp.Expr]:
    """Return the one part of two long expressions that differs, if it is one."""
    while max(len(_text(old)), len(_text(new))) > _LONGEST and type(old) is type(new):
        before, now = list(old.iter_expressions()), list(new.iter_expressions())
        if len(before) != len(now):
            break
        differ = [(a, b) for a, b in zip(before, now, strict=True) if _text(a) != _text(b)]
        if len(differ) != 1:
            break
        old, new = differ[0]
    return old, new


def _same(old: exp.Expr, new: exp.Expr) -> bool:
    """Return whether two expressions are one, to sqlglot or to DuckDB."""
    texts = _text(old), _text(new)
    if texts[0] == texts[1]:
        return True
    try:
        trees = [normal(require_select(f"SELECT {text}")) for text in texts]
    except PermanentQueryError:
        return False
    return bool(trees[0] == trees[1])


def _text(node: exp.Expr | None) -> str:
    if node is None:
        return ""
    return node.sql(_DIALECT, comments=False, unsupported_level=ErrorLevel.IGNORE)


def _list(nodes: Sequence[exp.Expr]) -> str:
    return ", ".join(_text(node) for node in nodes)


def _shown(text: str) -> str:
    line = text.replace("\n", "\\n")
    if len(line) > _LONGEST:
        return f"{line[: _LONGEST - 4]} ..."
    return line or _NONE


def _by_name(nodes: Sequence[exp.Expr] | None) -> dict[str, exp.Expr]:
    """Return nodes by their name or alias; a second of one name gets a number."""
    found: dict[str, exp.Expr] = {}
    for node in nodes or ():
        name, number = node.alias_or_name, 2
        while name in found:
            name, number = f"{node.alias_or_name} ({number})", number + 1
        found[name] = node
    return found


def _gone(before: dict[str, exp.Expr], now: dict[str, exp.Expr]) -> list[str]:
    return [name for name in before if name not in now]
