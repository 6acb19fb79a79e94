"""JSGF: grammars of what may be said, written by hand, into word networks.

Two steps: a parser turns the text into rules, which are trees; a builder turns trees into nodes and arcs.
"""

from __future__ import annotations

import codecs
import math
import re
from collections import defaultdict
from typing import Literal, NamedTuple, NoReturn

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from seqem.errors import FormatError
from seqem.io.streams import FilePath, open_binary
from seqem.speech.network import WordArc, WordNetwork

_MOST_ARCS = 1_000_000
_LARGEST_WEIGHT = 1e100
_HEADER = re.compile(r"\s*#JSGF\s+V\d+(?:\.\d+)?(?:[ \t]+([-\w]+))?(?:[ \t]+[-\w]+)?\s*;", re.IGNORECASE)
_TOKEN = re.compile(
    r"""\s+|//[^\n]*|/\*.*?\*/|\{(?:\\.|[^\\}])*\}
      |/\s*(?P<weight>\d*\.?\d+(?:e[-+]?\d+)?|\d+\.)f?\s*/
      |"(?P<quoted>(?:\\.|[^"\\])+)"|<(?P<rule>[^<>\s]+)>|(?P<mark>[;=|*+()\[\]])|(?P<word>[^\s;=|*+<>()\[\]{}/"]+)""",
    re.DOTALL | re.VERBOSE | re.IGNORECASE,
)
_CLOSING = {"(": ")", "[": "]"}


class _Tree(NamedTuple):
    """A part of a rule: a word or rule by its name, or other parts."""

    kind: Literal["word", "rule", "sequence", "either", "repeat", "perhaps"]
    name: str = ""
    parts: tuple[_Tree, ...] = ()
    log_weights: tuple[float, ...] = ()
    line: int = 0


_NOTHING = _Tree("sequence")
_NEVER = _Tree("either")


def read_jsgf(path: FilePath, rule: str | None = None) -> WordNetwork:
    """Read the word network of a JSGF grammar.

    Parameters
    ----------
    path : path-like
        The file, packed or not, in the encoding that its header names, UTF-8 by default.
    rule : str, optional
        The rule to say, public or not; by default one of the public rules, all equally likely.

    Raises
    ------
    FormatError
        As :func:`parse_jsgf`, which says what the network is; and where the text is not in its encoding.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "answer.jsgf"
    >>> _ = path.write_text("#JSGF V1.0; grammar answer; public <answer> = yes | no;")
    >>> read_jsgf(path).words
    ('no', 'yes')
    """
    with open_binary(path) as handle:
        data = handle.read()
    header = _HEADER.match(data[:200].decode("latin-1").removeprefix(codecs.BOM_UTF8.decode("latin-1")))
    try:
        text = data.decode(header[1] if header and header[1] else "utf-8").removeprefix("\ufeff")
    except (LookupError, UnicodeError) as error:
        raise FormatError("is no text in its encoding", got=str(error), path=str(path)) from error
    return parse_jsgf(text, rule, path=str(path))


def parse_jsgf(text: str, rule: str | None = None, *, path: str = "grammar") -> WordNetwork:
    """Return the word network of a JSGF grammar.

    Weights of alternatives are divided by their sum, so that they are probabilities; alternatives without weights are equally
    likely. ``[ ]``, ``*`` and ``+`` carry no weight: whether and how often something is said costs nothing. The best path of a
    sentence weighs what its best parse does. Tags are passed over. A rule may name itself at its end only.

    Parameters
    ----------
    text : str
        The grammar.
    rule : str, optional
        The rule to say, public or not; by default one of the public rules, all equally likely.
    path : str
        What messages call it.

    Returns
    -------
    WordNetwork
        Arcs without a word make no cycle, also for ``(a*)*``.

    Raises
    ------
    FormatError
        With the line, where the text is no JSGF, imports rules, names a rule that is not there, or has one that names itself
        elsewhere than at its end; also where nothing can be said, or far too much.

    Examples
    --------
    >>> network = parse_jsgf("#JSGF V1.0; grammar g; public <go> = go (left | right) [please];")
    >>> network.words
    ('go', 'left', 'please', 'right')
    """
    parser = _Parser(text, path)
    try:
        rules, public = parser.grammar()
        if rule is not None and rule not in rules:
            parser.refuse(f"no rule <{rule}>", expected=f"one of {list(rules)}")
        if not public and rule is None:
            parser.refuse("no public rule", hint="name a rule")
        said = [rule] if rule is not None else public
        root = _either([(_Tree("rule", name), 1.0) for name in said])
        builder = _Builder(rules, parser)
        builder.build(root, 0, 1, 0.0)
    except RecursionError as error:
        raise FormatError("groups or rules are too deep within others", path=path) from error
    arcs = _useful(builder.arcs)
    if not arcs:
        raise FormatError("nothing can be said", path=path)
    return _network(arcs)


class _Parser:
    """The tokens of a grammar, and what they say."""

    def __init__(self, text: str, path: str) -> None:
        self._text, self._path, self._at = text, path, 0
        header = _HEADER.match(text)
        if not header:
            self.refuse("is no JSGF", got=repr(text[:20]), expected="'#JSGF V1.0;' first")
        self._next = header.end()
        self.kind, self.value = "", ""
        self.step()

    def refuse(self, what: str, line: int | None = None, **facts: str) -> NoReturn:
        number = line or self._text.count("\n", 0, self._at) + 1
        raise FormatError(what, path=self._path, line=number, **facts)

    def step(self) -> str:
        """Go to the next token; return the value of this one."""
        gone = self.value
        self.kind = self.value = ""
        while not self.kind and self._next < len(self._text):
            self._at = self._next
            found = _TOKEN.match(self._text, self._at)
            if not found:
                self.refuse("is no JSGF", got=repr(self._text[self._at : self._at + 20]))
            self._next = found.end()
            self.kind, self.value = found.lastgroup or "", found[found.lastgroup] if found.lastgroup else ""
        return gone

    def take(self, kind: str, value: str | None = None) -> str:
        if self.kind != kind or value not in (None, self.value):
            self.refuse("is no JSGF", got=repr(self.value) if self.kind else "its end", expected=repr(value or kind))
        return self.step()

    def grammar(self) -> tuple[dict[str, _Tree], list[str]]:
        """Return all rules, and the names of the public ones."""
        self.take("word", "grammar")
        name = self.take("word")
        self.take("mark", ";")
        rules: dict[str, _Tree] = {}
        public = []
        while self.kind:
            if (self.kind, self.value) == ("word", "import"):
                self.refuse("imports are not read", hint="copy the rules that are needed")
            is_public = (self.kind, self.value) == ("word", "public")
            if is_public:
                self.step()
            rule = self.take("rule")
            if rule in rules or rule in ("NULL", "VOID"):
                self.refuse(f"rule <{rule}> is there already")
            self.take("mark", "=")
            rules[rule] = self._alternatives(name)
            self.take("mark", ";")
            if is_public:
                public.append(rule)
        return rules, public

    def _alternatives(self, grammar: str) -> _Tree:
        choices, weighted = [], set()
        while True:
            weighted.add(self.kind == "weight")
            weight = self._weight() if self.kind == "weight" else 1.0
            choices.append((self._sequence(grammar), weight))
            if self.value != "|" or self.kind != "mark":
                break
            self.step()
        if len(weighted) > 1:
            self.refuse("some alternatives have a weight", expected="all or none")
        return _either(choices)

    def _weight(self) -> float:
        weight = float(self.value)
        if weight > _LARGEST_WEIGHT:
            self.refuse("weight is off", got=self.value, expected=f"{_LARGEST_WEIGHT} at most")
        self.step()
        return weight

    def _sequence(self, grammar: str) -> _Tree:
        parts = []
        while self.kind in ("word", "quoted", "rule") or (self.kind == "mark" and self.value in _CLOSING):
            parts.append(self._item(grammar))
        if not parts:
            self.refuse("is no JSGF", got=repr(self.value) if self.kind else "its end", expected="words or rules")
        return parts[0] if len(parts) == 1 else _Tree("sequence", parts=tuple(parts))

    def _item(self, grammar: str) -> _Tree:
        """Return a word, rule or group, and what follows it says about how often."""
        line = self._text.count("\n", 0, self._at) + 1
        kind, value = self.kind, self.step()
        if kind == "mark":
            empty = self.kind == "mark" and self.value == _CLOSING[value]
            tree = _NOTHING if empty else self._alternatives(grammar)
            self.take("mark", _CLOSING[value])
            tree = _Tree("perhaps", parts=(tree,)) if value == "[" else tree
        elif kind == "rule":
            known = {"NULL": _NOTHING, "VOID": _NEVER}
            tree = known.get(value) or _Tree("rule", value.removeprefix(f"{grammar}."), line=line)
        else:
            tree = _Tree("word", re.sub(r"\\(.)", r"\1", value) if kind == "quoted" else value)
        while self.kind == "mark" and self.value in "*+":
            tree = _Tree("repeat", parts=(tree,))
            if self.step() == "*":
                tree = _Tree("perhaps", parts=(tree,))
        return tree


def _either(choices: list[tuple[_Tree, float]]) -> _Tree:
    """Return the choice between trees with weights, of which those with weight 0 are never said."""
    total = sum(weight for _, weight in choices)
    heard = [(tree, math.log(weight) - math.log(total)) for tree, weight in choices if weight > 0]
    return _Tree("either", parts=tuple(tree for tree, _ in heard), log_weights=tuple(weight for _, weight in heard))


class _Builder:
    """The arcs of trees; node 0 is the start and node 1 the final one."""

    def __init__(self, rules: dict[str, _Tree], parser: _Parser) -> None:
        self._rules, self._parser = rules, parser
        self._open: dict[str, tuple[int, int]] = {}
        self._n_nodes = 2
        self.arcs: list[WordArc] = []

    def build(self, tree: _Tree, source: int, target: int, log_weight: float) -> None:
        """Add paths from source to target that say the tree; the first arc of each bears the weight."""
        getattr(self, f"_{tree.kind}")(tree, source, target, log_weight)

    def _node(self) -> int:
        self._n_nodes += 1
        return self._n_nodes - 1

    def _arc(self, source: int, target: int, word: str | None, log_weight: float) -> None:
        if len(self.arcs) >= _MOST_ARCS:
            self._parser.refuse("grammar is too large", expected=f"{_MOST_ARCS} arcs at most")
        self.arcs.append(WordArc(source, target, word, log_weight))

    def _word(self, tree: _Tree, source: int, target: int, log_weight: float) -> None:
        self._arc(source, target, tree.name, log_weight)

    def _rule(self, tree: _Tree, source: int, target: int, log_weight: float) -> None:
        if tree.name not in self._rules:
            self._parser.refuse(f"no rule <{tree.name}>", tree.line, expected=f"one of {list(self._rules)}")
        start, end = self._open.get(tree.name, (-1, -1))
        if start >= 0 and end != target:
            hint = "write it with * or +, or so that it names itself at its end"
            self._parser.refuse(f"rule <{tree.name}> names itself before its end", tree.line, hint=hint)
        if start >= 0:
            self._arc(source, start, None, log_weight)
            return
        start = self._node()
        self._arc(source, start, None, log_weight)
        self._open[tree.name] = (start, target)
        self.build(self._rules[tree.name], start, target, 0.0)
        del self._open[tree.name]

    def _sequence(self, tree: _Tree, source: int, target: int, log_weight: float) -> None:
        if not tree.parts:
            self._arc(source, target, None, log_weight)
        for place, part in enumerate(tree.parts, 1):
            after = target if place == len(tree.parts) else self._node()
            self.build(part, source, after, log_weight)
            source, log_weight = after, 0.0

    def _either(self, tree: _Tree, source: int, target: int, log_weight: float) -> None:
        for part, weight in zip(tree.parts, tree.log_weights, strict=True):
            self.build(part, source, target, log_weight + weight)

    def _perhaps(self, tree: _Tree, source: int, target: int, log_weight: float) -> None:
        self._arc(source, target, None, log_weight)
        self.build(tree.parts[0], source, target, log_weight)

    def _repeat(self, tree: _Tree, source: int, target: int, log_weight: float) -> None:
        # Nodes of its own: what else begins at the source or ends at the target must not get into the loop.
        first, last = self._node(), self._node()
        self._arc(source, first, None, log_weight)
        self.build(tree.parts[0], first, last, 0.0)
        self._arc(last, first, None, 0.0)
        self._arc(last, target, None, 0.0)


def _useful(arcs: list[WordArc]) -> list[WordArc]:
    """Return the arcs on paths from node 0 to node 1."""
    ahead, back = defaultdict(list), defaultdict(list)
    for arc in arcs:
        ahead[arc.source].append(arc.target)
        back[arc.target].append(arc.source)
    reached, reaching = _closure(0, ahead), _closure(1, back)
    return [arc for arc in arcs if arc.source in reached and arc.target in reaching]


def _closure(node: int, edges: dict[int, list[int]]) -> set[int]:
    seen, rest = {node}, [node]
    while rest:
        new = set(edges.get(rest.pop(), ())) - seen
        seen |= new
        rest += new
    return seen


def _network(arcs: list[WordArc]) -> WordNetwork:
    """Return the network of arcs, in which cycles without a word are undone.

    Nodes that lie on such cycles together are each split: arcs enter at the one half and leave from the other, and between
    halves go the best ways within. As no weight is above 0 such a way never goes round, so the best paths keep their weight.
    """
    n_nodes = 1 + max(max(arc.source, arc.target) for arc in arcs)
    silent = [arc for arc in arcs if arc.word is None]
    edges = coo_matrix(
        (np.ones(len(silent)), ([arc.source for arc in silent], [arc.target for arc in silent])), (n_nodes, n_nodes)
    )
    _, group = connected_components(edges, directed=True, connection="strong")
    members = defaultdict(list)
    for node, label in enumerate(group):
        members[label].append(node)
    leaves = {node: n_nodes + node if len(members[group[node]]) > 1 else node for node in range(n_nodes)}
    kept = [
        arc._replace(source=leaves[arc.source])
        for arc in arcs
        if arc.word is not None or group[arc.source] != group[arc.target]
    ]
    within = defaultdict(list)
    for arc in silent:
        if group[arc.source] == group[arc.target] and arc.source != arc.target:
            within[group[arc.source]].append(arc)
    entered, left = {arc.target for arc in kept}, {arc.source for arc in kept}
    for label, inner in within.items():
        ways = _best_ways(members[label], inner)
        kept += [
            WordArc(source, leaves[target], None, weight)
            for source, target, weight in ways
            if source in entered and leaves[target] in left
        ]
    return _numbered(kept, 0, leaves[1])


def _best_ways(nodes: list[int], arcs: list[WordArc]) -> list[tuple[int, int, float]]:
    """Return source, target and weight of the best way between each two nodes."""
    place = {node: i for i, node in enumerate(nodes)}
    cost = np.full((len(nodes), len(nodes)), np.inf)
    for arc in arcs:
        here = place[arc.source], place[arc.target]
        cost[here] = min(cost[here], -arc.log_weight)
    np.fill_diagonal(cost, 0.0)
    for middle in range(len(nodes)):  # Floyd and Warshall's; scipy's takes an arc that costs nothing for none
        cost = np.minimum(cost, cost[:, middle, None] + cost[middle])
    return [
        (source, target, -float(best))
        for source, row in zip(nodes, cost, strict=True)
        for target, best in zip(nodes, row, strict=True)
    ]


def _numbered(arcs: list[WordArc], start: int, final: int) -> WordNetwork:
    """Return the network with its nodes numbered without holes; of equal arcs the heaviest stays."""
    nodes = {start: 0}
    best: dict[tuple[int, int, str | None], float] = {}
    for arc in arcs:
        key = (nodes.setdefault(arc.source, len(nodes)), nodes.setdefault(arc.target, len(nodes)), arc.word)
        best[key] = max(arc.log_weight, best.get(key, -math.inf))
    return WordNetwork(
        len(nodes), tuple(WordArc(*key, weight) for key, weight in best.items()), nodes[start], nodes[final]
    )
