"""Templates of statements: blanks, loops, scopes, macros. Each stands for a construct that chat templates use."""

STATEMENTS = [
    # blanks
    "a\n{% if t %}\nb\n{% endif %}\nc\n", "a\n  {% if t %}\n  b\n  {% endif %}\nc", "a  {%- if t -%}  b  {%- endif -%}  c", "  {%+ if t %}x{% endif %}",
    "{% if t +%}\nx{% endif %}", "a {{- s -}} b", "a\n {# note #}\nb", "a {#- note -#} b", "{#-#}x", "  {# a #}  {# b #}\nc", "{{ s }}\n\n", "\n\n{{ s }}\n",
    "a\r\nb\rc\n", "{% raw %}\n {{ x }} {% if %}\n{% endraw %}\nb", "a {%- raw -%} {{ x }} {%- endraw -%} b", "\t{% set a = 1 %}\n{{ a }}\n\t{% set b = 2 %}{{ b }}",
    "x{% set a = 1 %}\n\ny", "{{ '}}' }}{{ '%}' }}", "{{ {'a': {'b': 1}}['a']['b'] }}", "{ { % } {", "{{ 'a\nb' }}", "{{s}}{{-n}}", "{{ -n }}", "{{- -n }}", "{{+n}}",
    # loops
    "{% for x in l %}{{ loop.index }}/{{ loop.length }}:{{ x }}{% if not loop.last %}, {% endif %}{% endfor %}",
    "{% for x in l %}{{ loop.index0 }} {{ loop.revindex }} {{ loop.revindex0 }} {{ loop.first }} {{ loop.depth }} {{ loop.previtem }} {{ loop.nextitem }};{% endfor %}",
    "{% for x in el %}x{% else %}none{% endfor %}", "{% for x in l %}{% else %}none{% endfor %}", "{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}",
    "{% for k in d %}{{ k }}{% endfor %}", "{% for k, v in d|dictsort %}{{ k }}={{ v }};{% endfor %}", "{% for a, (b, c) in [(1, (2, 3))] %}{{ a }}{{ b }}{{ c }}{% endfor %}",
    "{% for x in l if x > 1 %}{{ loop.index }}{{ x }}{{ loop.last }}{% endfor %}", "{% for x in l if x > 9 %}{% else %}none{% endfor %}",
    "{% for c in u %}{{ c }}|{% endfor %}", "{% for x in missing %}x{% endfor %}", "{% for x in n %}x{% endfor %}", "{% for x in nil %}x{% endfor %}",
    "{% for x in l %}{% if x == 1 %}{% continue %}{% endif %}{{ x }}{% endfor %}", "{% for x in l %}{% if x == 1 %}{% break %}{% endif %}{{ x }}{% endfor %}",
    "{% for x in l %}{% for y in w %}{% if y == 'c' %}{% break %}{% endif %}{{ x }}{{ y }}{{ loop.index }}{% endfor %}{{ loop.index }}{% endfor %}",
    "{% for x in l %}{{ loop.cycle('a', 'b') }}{{ loop.changed(x > 1) }}{% endfor %}", "{% for x in l[::-1] %}{{ x }}{% endfor %}", "{% for x in l|reverse %}{{ x }}{% endfor %}",
    "{% for a, b in [(1, 2, 3)] %}{% endfor %}", "{% for x in 1, 2 %}{{ x }}{% endfor %}", "{% for x in (1, 2) %}{{ x }}{% endfor %}", "{{ loop }}", "{% for x in l %}{{ loop }}{% endfor %}",
    "{% set g = l|map('string') %}{% for x in g %}{{ x }}{% endfor %}{% for x in g %}{{ x }}{% endfor %}{% if g %}y{% endif %}", "{% for u in users %}{{ u.name }}{% if u.nick %} ({{ u.nick }}){% endif %},{% endfor %}",
    # scopes
    "{% set x = 1 %}{% for i in l %}{{ x }}{% set x = i %}{{ x }}{% endfor %}{{ x }}", "{% if t %}{% set x = 1 %}{% endif %}{{ x }}", "{% for i in l %}{% set y = i %}{% endfor %}{{ y }}",
    "{% set ns = namespace(n=0, s='') %}{% for i in l %}{% set ns.n = ns.n + i %}{% set ns.s = ns.s ~ i %}{% endfor %}{{ ns.n }} {{ ns.s }}", "{% set d.x = 1 %}", "{% set q.x = 1 %}",
    "{% set a, b = 1, 2 %}{{ a }}{{ b }}", "{% set a = 1, 2 %}{{ a }}", "{% set a %}<{{ s }}>{% endset %}{{ a }}", "{% set a | upper | replace('L', 'x') %}{{ s }}{% endset %}{{ a }}", "{% set a, b = [1] %}",
    "{% with x = 1, y = 2 %}{{ x }}{{ y }}{% set z = 9 %}{% endwith %}{{ x }}{{ z }}", "{% filter upper %}a{{ s }}{% endfilter %}", "{% filter trim | replace('a', 'b') %} aa {% endfilter %}",
    "{% set x = 1 %}{% filter upper %}{% set x = 2 %}{% endfilter %}{{ x }}", "{% set ns = namespace() %}{{ ns.x is defined }}{% set ns.x = none %}{{ ns.x is defined }}{{ ns.x }}", "{% set ns = namespace({'a': 1}, b=2) %}{{ ns.a + ns.b }}{{ ns['a'] }}",
    "{% set true = 1 %}", "{% set messages = users[1:] %}{{ messages|length }}",
    # branches
    "{% if no %}a{% elif t %}b{% else %}c{% endif %}", "{% if no %}a{% elif no %}b{% else %}c{% endif %}", "{% if el %}a{% endif %}{% if l %}b{% endif %}{% if missing %}c{% endif %}", "{% if l is string %}a{% elif l is mapping %}b{% elif l is iterable %}c{% endif %}",
    "{{ 'a' if t else 'b' }}{{ 'a' if no else 'b' }}{{ 'x' if no }}", "{% if 'a' in w and not (n < 3 or missing is defined) %}yes{% endif %}",
    # macros
    "{% macro f(a, b=2, c=a) %}{{ a }}{{ b }}{{ c }};{% endmacro %}{{ f(1) }}{{ f(1, 3) }}{{ f(a=1, c=4) }}{{ f() }}", "{% macro f() %}x{% endmacro %}{{ f() ~ f()|upper }}", "{% macro f(a) %}{{ a }}{% endmacro %}{{ f(1, 2) }}", "{% macro f(a) %}{{ a }}{% endmacro %}{{ f(b=2) }}",
    "{% macro f(a) %}{{ a }}{{ varargs }}{{ kwargs }}{% endmacro %}{{ f(1, 2, 3, x=4) }}", "{% macro f(n) %}{{ n }}{% if n > 0 %}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(3) }}", "{% macro f(a) %}<{{ caller(a) }}>{% endmacro %}{% call(x) f(5) %}{{ x }}{{ s }}{% endcall %}",
    "{% macro f() %}<{{ caller() }}>{% endmacro %}{% call f() %}in{% endcall %}", "{% macro f(a) %}{{ a }}{% endmacro %}{% call f(1) %}x{% endcall %}", "{% macro f() %}{{ x }}{% endmacro %}{% set x = 5 %}{{ f() }}", "{% set x = 5 %}{% macro f() %}{% set x = 6 %}{{ x }}{% endmacro %}{{ f() }}{{ x }}",
    "{% for i in l %}{% macro f() %}{{ i }}{% endmacro %}{{ f() }}{% endfor %}", "{% macro show(v) %}{% if v is mapping %}{{ '{' }}{% for k, x in v.items() %}{{ k }}:{{ show(x) }},{% endfor %}{{ '}' }}{% elif v is iterable and v is not string %}[{% for x in v %}{{ show(x) }},{% endfor %}]{% else %}{{ v }}{% endif %}{% endmacro %}{{ show(d) }}{{ show(tools) }}",
    # the rest
    "a{% generation %}{{ s }}{% endgeneration %}b", "{% generation %}{% set x = 1 %}{% endgeneration %}{{ x }}", "{{ raise_exception('Roles must alternate') }}", "{%- if n > 5 %}{{ raise_exception('n is ' ~ n) }}{% endif %}", "{# {{ x }} #}", "{% if %}{% endif %}",
    "{% for %}{% endfor %}", "{% endif %}", "{% if t %}", "{% else %}", "{% for x in l %}", "{{", "{{ }}", "{%", "{% %}", "{{ x", "{% if x %", "{% break %}", "{% unknown %}", "{{ ) }}", "{{ (] }}", "{{ 'a", "{% raw %} x", "{% set %}", "{% set x %}", "{% macro %}", "{% macro f( %}",
    "{% call s %}x{% endcall %}", "{{ f(**d) }}{{ 1 }}", "{% for x in l recursive %}{% endfor %}", "{{ s.upper }}", "{{ @ }}", "{{ n ! }}", "{{ a, b }}", "{{ l | }}", "{{ . }}", "{% if t %}a{% else %}b{% else %}c{% endif %}",
]  # fmt: skip
