"""JSGF: the language of small grammars against an enumeration by definition, real grammars, and mutated files."""

import itertools
import math
import random
import time
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqem.errors import FormatError, SeqemError
from seqem.io.jsgf import parse_jsgf, read_jsgf
from tests.io.mutations import mutate, survives
from tests.speech.test_network import has_silent_cycle, sentences

LONGEST = 4
HEAD = "#JSGF V1.0;\ngrammar g;\n"


# The meaning of each part of a grammar by definition: sentences with the weight of the best way to say them.


def after(left, right):
    out = {}
    for (a, u), (b, v) in itertools.product(left.items(), right.items()):
        if len(a + b) <= LONGEST:
            out[a + b] = max(u + v, out.get(a + b, -math.inf))
    return out


def either(*choices):
    out = {}
    for choice in choices:
        for words, weight in choice.items():
            out[words] = max(weight, out.get(words, -math.inf))
    return out


def repeated(language):
    out = language
    while (more := either(out, after(out, language))) != out:
        out = more
    return out


def weighed(language, log_weight):
    return {words: weight + log_weight for words, weight in language.items()}


NOTHING = {(): 0.0}
LEAVES = st.sampled_from([*((word, {(word,): 0.0}) for word in "abc"), ("<NULL>", NOTHING), ("<VOID>", {})])


@st.composite
def alternatives(draw, children):
    found = draw(st.lists(children, min_size=1, max_size=3))
    if draw(st.booleans()):
        weights = [draw(st.sampled_from([0.0, 0.5, 1.0, 3.0])) for _ in found]
        text = "|".join(f"/{weight}/ {part}" for weight, (part, _) in zip(weights, found, strict=True))
    else:
        weights, text = [1.0] * len(found), "|".join(part for part, _ in found)
    heard = [(meaning, weight) for (_, meaning), weight in zip(found, weights, strict=True) if weight]
    total = sum(weights)
    return f"({text})", either(*(weighed(meaning, math.log(weight / total)) for meaning, weight in heard))


def groups(children):
    def joined(parts):
        meaning = NOTHING
        for _, part in parts:
            meaning = after(meaning, part)
        return "(" + " ".join(text for text, _ in parts) + ")", meaning

    return (
        st.lists(children, min_size=1, max_size=3).map(joined)
        | alternatives(children)
        | children.map(lambda part: (f"[{part[0]}]", either(NOTHING, part[1])))
        | children.map(lambda part: (f"({part[0]})*", either(NOTHING, repeated(part[1]))))
        | children.map(lambda part: (f"({part[0]})+", repeated(part[1])))
    )


@settings(max_examples=300, deadline=None)
@given(st.recursive(LEAVES, groups, max_leaves=7))
def test_the_language_and_its_weights(grammar):
    text, wanted = grammar
    text = f"{HEAD}public <top> = {text};"
    if not wanted:  # nothing at all, or nothing as short as what is enumerated
        with suppress(FormatError):
            assert not sentences(parse_jsgf(text), LONGEST)
        return
    network = parse_jsgf(text)
    assert sentences(network, LONGEST) == pytest.approx(wanted)
    assert not has_silent_cycle(network)
    assert {node for arc in network.arcs for node in arc[:2]} == set(range(network.n_nodes))


@pytest.mark.parametrize(
    "text", ["(a*)*", "((a+)*)+", "[[a]*]*", "(a* | b*)*", "([a] [b])*", "(<NULL> | a)+", "((a|<NULL>)* b*)*"]
)
def test_repeats_of_what_may_be_nothing(text):
    network = parse_jsgf(f"{HEAD}public <top> = {text};")
    assert not has_silent_cycle(network)
    letters = sorted(set(text) & set("ab"))
    wanted = {words for n in range(LONGEST + 1) for words in itertools.product(letters, repeat=n)}
    assert sentences(network, LONGEST).keys() == wanted


def test_grammars_of_others(shared_data):
    folder = shared_data / "speech" / "pocketsphinx"
    turtle = sentences(read_jsgf(folder / "goforward.gram"), LONGEST)
    numbers = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
    moves = itertools.product(["go"], ["forward", "backward"], numbers, [(), ("meter",), ("meters",)])
    wanted = {(go, way, number, *rest) for go, way, number, rest in moves}
    assert turtle.keys() == wanted | {("go", "forward", "ten", "meters")}
    assert turtle["go", "backward", "two"] == pytest.approx(math.log(1 / 2 / 2 / 10))
    only = read_jsgf(folder / "goforward.gram", rule="distance")
    assert sentences(only, LONGEST) == pytest.approx({(number,): math.log(0.1) for number in numbers})
    cards = read_jsgf(folder / "cards" / "cards.gram")
    found = sentences(cards, 3)
    assert found["queen", "of", "spades"] == pytest.approx(math.log(1 / 5 / 14 / 4))
    assert found["ace", "ten"] == pytest.approx(math.log(1 / 5 / 14 / 14))
    assert ("of",) not in found
    # [rank suit] and [rank of suit], or rank before them; two ranks; and one rank suit after another is longer.
    assert len(found) == 14 * 4 * 2 + 14 * 14 + 14 * 14 * 4


def test_a_rule_may_name_itself_at_its_end():
    text = "public <top> = go <steps>; <steps> = left <steps> | right <more> | <NULL>; <more> = now <steps> | stop;"
    found = sentences(parse_jsgf(HEAD + text), LONGEST)
    third, half = math.log(1 / 3), math.log(1 / 2)
    assert found["go",] == pytest.approx(third)
    assert found["go", "left", "left"] == pytest.approx(3 * third)
    assert found["go", "right", "now"] == pytest.approx(2 * third + half)
    assert found["go", "right", "stop"] == pytest.approx(third + half)
    assert ("go", "right") not in found


def test_public_rules_are_alternatives():
    network = parse_jsgf(HEAD + "public <a> = x; public <b> = y; <c> = z;")
    assert sentences(network, LONGEST) == pytest.approx({("x",): math.log(0.5), ("y",): math.log(0.5)})
    assert sentences(parse_jsgf(HEAD + "public <a> = x; <c> = z;", rule="c"), LONGEST) == {("z",): 0.0}


def test_words_tags_comments_and_quotes(tmp_path):
    path = tmp_path / "a.jsgf"
    text = (
        "#JSGF V1.0 ISO8859-1 de;\n/** of /0.5/ and ; <x>\n */ grammar com.acme.g; // to the end ;\n"
        'public <a> = "New York" {city; \\} of NY} | /* not b | */ "say \\"hi\\"" | grün | <com.acme.g.b>;\n<b> = it\'s-2;'
    )
    path.write_text(text, encoding="latin-1")
    assert read_jsgf(path).words == ("New York", "grün", "it's-2", 'say "hi"')
    path.write_text(HEAD + "public <a> = grün;", encoding="utf-8-sig")
    assert read_jsgf(path).words == ("grün",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("public <a> = x <a> y | z;", "line 3: rule <a> names itself before its end"),
        ("public <a> =\n<b> y;\n<b> = <a> | z;", "line 5: rule <a> names itself before its end"),
        ("public <a> = x (<a>)* | z;", "line 3: rule <a> names itself before its end"),
        ("public <a> = <a>;", "nothing can be said"),
        ("import <other.*>;", "line 3: imports are not read"),
        ("public <a> = x\n <b>;", "line 4: no rule <b>"),
        ("<a> = x;", "no public rule"),
        ("public <a> = x; <a> = y;", "rule <a> is there already"),
        ("public <a> = /0.5/ x | y;", "some alternatives have a weight"),
        ("public <a> = /1e300/ x;", "weight is off"),
        ("public <a> = /0/ x | /0/ y;", "nothing can be said"),
        ("public <a> = <VOID>;", "nothing can be said"),
        ("public <a> = x | ;", "is no JSGF; got ';'"),
        ("public <a> = ;", "is no JSGF; got ';'"),
        ("public <a> = (x;", r"is no JSGF; got ';'; expected '\)'"),
        ("public <a> = x", "is no JSGF; got its end"),
        ('public <a> = "x;', "line 3: is no JSGF"),
        ("public <a> = x } y;", "line 3: is no JSGF"),
        ("public <a> = " + "(" * 5000 + "x" + ")" * 5000 + ";", "too deep"),
    ],
)  # fmt: skip
def test_what_is_refused_is_placed(text, message):
    with pytest.raises(FormatError, match=message):
        parse_jsgf(HEAD + text)


def test_other_texts_are_refused(tmp_path):
    path = tmp_path / "a.jsgf"
    for data in (
        b"",
        b"grammar g;",
        b"#JSGF V1.0 EBCDIC-9;grammar g;public <a> = x;",
        HEAD.encode() + b"public <a> = gr\xfcn;",
    ):
        path.write_bytes(data)
        with pytest.raises(FormatError, match=r"a\.jsgf.*(is no JSGF|is no text in its encoding)"):
            read_jsgf(path)
    with pytest.raises(FormatError, match="no rule <b>"):
        parse_jsgf(HEAD + "public <a> = x;", rule="b")


def test_rules_that_grow_without_end_are_refused_soon():
    doubling = "".join(f"<r{i}> = <r{i + 1}> <r{i + 1}>;" for i in range(60))
    begin = time.monotonic()
    with pytest.raises(FormatError, match="grammar is too large"):
        parse_jsgf(f"{HEAD}public <a> = <r0>;{doubling}<r60> = x;")
    assert time.monotonic() - begin < 30


def test_mutated_files_are_refused_or_read(tmp_path):
    text = (HEAD + 'public <a> = (x | /2/ "y z")* [<b>] {tag};\n<b> = /0.5/ u+ | /1.5/ <NULL> <b>; // end\n').encode()
    for seed in range(500):
        survives(tmp_path / "a.jsgf", mutate(text, random.Random(seed)), read_jsgf, SeqemError)
