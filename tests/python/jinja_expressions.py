"""Small templates in great number: every operator, filter, test and method over values of every type."""

import itertools

VARIABLES = {
    "n": 7, "z": 0, "m": -3, "f": 2.5, "g": -0.125, "big": 1e21, "tiny": 1e-7, "t": True, "no": False, "nil": None,
    "s": "Hello, World", "e": "", "b": "  padded\n", "u": "Grüße, 日本 🐶", "q": "it's \"quoted\"\\\n",
    "l": [3, 1, 2], "el": [], "w": ["b", "A", "c", "a"], "mixed": [1, "a", None, 2.5, True],
    "d": {"b": 1, "A": 2, "items": "own", "c": {"x": [1, {"y": "z"}]}}, "ed": {},
    "users": [
        {"name": "Ann", "age": 30, "tags": ["x"]}, {"name": "bob", "age": 25, "tags": []},
        {"name": "Cid", "age": 30, "tags": ["x", "y"], "nick": "C"},
    ],
    "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}],
}  # fmt: skip

NAMES = [name for name in VARIABLES if name not in ("users", "tools")] + ["missing"]
BINARY = ["+", "-", "*", "/", "//", "%", "~", "==", "!=", "<", ">=", "in", "not in", "and", "or"]
FILTERS = [
    "abs", "capitalize", "count", "d", "default('x')", "default('x', true)", "dictsort", "first", "float", "indent",
    "indent(2, true)", "indent('> ', blank=true)", "int", "items|list", "join", "join('-')", "last", "length", "list",
    "lower", "map('string')|list", "max", "min", "reject('none')|list", "replace('l', 'LL')", "replace('', '.')",
    "reverse|list", "round", "round(1)", "round(2, 'floor')", "safe", "select|list", "select('string')|list", "sort",
    "sort(reverse=true)", "string", "sum", "title", "tojson", "tojson(indent=2)", "tojson(ensure_ascii=true)",
    "tojson(separators=(',', ':'))", "tojson(sort_keys=true)", "trim", "trim('Hd')", "unique|list", "upper",
    "wordcount", "e", "center(20)", "center(21)",
]  # fmt: skip
TESTS = [
    "defined", "undefined", "none", "string", "mapping", "iterable", "sequence", "number", "integer", "float", "boolean",
    "true", "false", "callable", "in l", "in [7, 'x']", "sameas none", "eq 7", "ne 7", "even", "odd", "divisibleby 7",
    "lower", "upper", "gt 1",
]  # fmt: skip
METHODS = [
    "upper()", "lower()", "title()", "capitalize()", "strip()", "lstrip()", "rstrip()", "strip('H d')", "split()",
    "split(' ')", "split(',')", "split(', ', 1)", "rsplit(' ', 1)", "split(maxsplit=1)", "splitlines()", "startswith('He')",
    "startswith(('x', 'He'))", "endswith('ld')", "find('l')", "rfind('l')", "find('本')", "count('l')", "replace('l', '')",
    "replace('l', 'r', 1)", "join(['a', 'b'])", "isdigit()", "isalpha()", "isspace()", "isupper()", "islower()", "isalnum()",
    "zfill(15)", "ljust(15, '.')", "rjust(15)", "partition(', ')", "rpartition('o')", "removeprefix('He')",
    "removesuffix('ld')", "items()|list", "keys()|list", "values()|list", "get('b')", "get('zz')", "get('zz', 1)",
    "index(1)", "nothing()", "append(1)", "format(1, 2)", "pop()",
]  # fmt: skip
SINGLE = [
    "1", "1_000", "0x1f", "0b11", "1.5e3", "2e-7", "'a' 'b'", "'\\n\\t\\x41\\u00e9\\\\'", '"it\'s"', "[1, 'a', none, 1.0]", "(1,)", "()",
    "(1, 2)", "{}", "{'a': 1, 2: [3]}", "[[]]", "-2 ** 2", "2 ** -1", "2 ** 10", "-7 // 2", "-7 % 3", "7 // -2", "7.5 // 2", "-7.5 % 2",
    "1 if t", "1 if no", "1 if no else 2 if no else 3", "not t", "not missing", "l[0]", "l[-1]", "l[9]", "l[1:]",
    "l[::-1]", "l[:-1]", "l[5:]", "l[-9:2]", "s[0]", "s[-3:]", "u[6:8]", "u[::-1]", "s[::2]", "mixed[0:4:3]", "d.b", "d['A']", "d.items()|list",
    "d['items']", "d.c.x[1].y", "d.missing", "d.missing.deeper", "missing.x", "missing['x']", "missing()", "d()", "nil.x",
    "users|map(attribute='name')|join(', ')", "users|selectattr('nick', 'defined')|map(attribute='name')|list",
    "users|rejectattr('age', 'eq', 30)|list|length", "users|selectattr('tags')|list|length",
    "users|map(attribute='nick', default='-')|join", "users|sort(attribute='age')|map(attribute='name')|list",
    "users|sort(attribute='age,name', reverse=true)|map(attribute='name')|list", "users|sum(attribute='age')",
    "users|map(attribute='tags.0')|list", "users|max(attribute='age')", "users|unique(attribute='age')|list|length",
    "w|sort(case_sensitive=true)", "w|unique|list", "d|dictsort(by='value')|length", "tools|tojson", "tools|tojson(indent=4)",
    "range(5)|list", "range(2, 8, 3)|list", "range(5, 0, -2)|list", "range(3)[1]", "range(3)|length", "dict(a=1, b=2)", "dict({'a': 1}, b=2)",
    "'%s is %d and %.2f' % (s, n, f)", "'%5d|%-5d|%05d|%+d|%x|%o' % (1, 2, 3, 4, 255, 8)", "'%(a)s' % {'a': 1}", "'%r' % q", "'%s' % l",
    "'%d%%' % 5", "'%e %g' % (f, tiny)", "'%s'|format(n)", "'%(x)s'|format(x=n)", "'%.3s|%5s|%-5s|' % ('abcdef', 'a', 'b')",
    "'{} and {}'.format(1, 'a')", "'{0}{1}{0}'.format(1, 2)", "'{a}'.format(a=1)", "'{{}}'.format()",
    "q|tojson", "q", "[q]", "[u, e, b]", "big", "tiny", "1e16", "1e15", "123456789012345.6", "0.1 + 0.2", "1/3", "5.0", "-0.0", "1e400",
    "'12'|int", "'12.7'|int", "'x'|int", "'x'|int(5)", "'0x1A'|int(base=16)", "' 3 '|int", "'1_0'|int", "nil|int(9)", "'1e3'|float", "'inf'|float",
    "2.5|round", "3.5|round", "-2.5|round", "2.675|round(2)", "5|round", "1 < 2 < 3", "1 < 3 < 2", "3 > 2 > 1", "'a' < 'b' == true",
    "1 == 1.0", "true == 1", "[1] == [1.0]", "(1,) == [1]", "{'a': 1} == {'a': 1.0}", "none == missing", "true + true", "'a' * 3", "3 * [1, 2]", "'ab' * -1",
    "[1] + [2]", "'a' + 1", "1 + 'a'", "[1] + (2,)", "nil + 1", "missing + 1", "'a' + missing", "missing ~ 'a'", "1 / 0", "1 // 0", "1 % 0",
    "l is iterable and l is not mapping", "n is divisibleby(7)", "n is not none", "3 is in(l)", "'a' in 'abc'", "'a' in d", "'b' in d", "1 in 5", "1 in 'a'",
    "[] in d", "l|length + 1", "-l|length", "(l|length) - 1", "l | map('string') | join", "l|first + 1", "w|map('upper')|list", "el|first", "el|last",
    "w|map('replace', 'b', 'x')|list", "l|select('gt', 1)|list", "mixed|select('number')|list", "mixed|map('tojson')|list",
    "d|items|list|length", "missing|items|list", "s|items", "missing|list", "missing|length", "missing|join", "missing|tojson", "n|length", "n|list",
    "s|list", "d|list", "d|first", "d|length", "d|string", "mixed|string", "namespace(a=1).a", "namespace(a=1).b", "x|nofilter",
    "n is notest", "raise_exception('no')", "s.__class__", "d.__len__", "l.sort()", "joiner", "s|attr('upper')", "d|attr('b')", "l.0", "users.0.name",
    "d.get", "d.update({})", "d.keys()", "d.values()", "d.items()", "el or 'x'", "l and 'x'", "0 or none", "t and no", "s|trim|length",
    "'ß'|upper", "'straße'|title", "'ÄÖÜ'|lower", "'éa'|capitalize", "'foo-bar (baz)'|title", "'a\\r\\nb\\n\\nc'.splitlines()", "'a\\nb\\n'|indent",
    "'\\x1f\\x7f\\u2028'|tojson", "'\\x00\\x7f\\xa0\\u200b\\ue000' ~ ''", "['\\x00\\x7f\\xa0\\u200b\\u00e9']", "9223372036854775807",
    "{1: 'a', '1': 'b'}", "{1: 'a', 1.0: 'b', true: 'c'}", "{none: 1}|tojson", "{(1, 2): 3}", "{[1]: 2}", "{'a': 1}.a", "[1, 2, ]", "{'a': 1, }", "(1)",
    "strftime_now('%Y-%m-%d')", "strftime_now('%d %b %Y %H:%M')", "loop", "s is s", "1 is", "(1", "[1", "{1}", "1 +", "'open", "a b", "1 = 2", "x.", "x|", "x[",
]  # fmt: skip


def expressions():
    yield from SINGLE
    for (a, b), op in itertools.product(itertools.combinations(NAMES, 2), BINARY):
        yield f"{a} {op} {b}"
    for name, one in itertools.product([*NAMES, "users"], FILTERS):
        yield f"{name}|{one}"
    for name, test in itertools.product(NAMES, TESTS):
        yield f"{name} is {test}"
    for name, method in itertools.product(("s", "e", "b", "u", "q", "d", "ed", "l", "missing", "n"), METHODS):
        yield f"{name}.{method}"
    for start, stop, step in itertools.product(("", "0", "1", "-2", "99", "-99"), ("", "0", "2", "-1", "99"), ("", ":2", ":-1", ":-3")):
        yield f"mixed[{start}:{stop}{step}]"
        yield f"u[{start}:{stop}{step}]"
