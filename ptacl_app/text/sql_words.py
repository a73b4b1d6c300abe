"""What each word of a line of SQL is, for colouring. Pure; one line at a time."""

import re
from collections.abc import Iterator

_KEYWORD_TEXT = (
    "all and any as asc asof between by case cast cross desc distinct else end except exclude "
    "exists explain false filter first following from full group having ilike in inner intersect "
    "interval is join last lateral left like limit natural not null nulls offset on or order outer "
    "over partition pivot preceding qualify range recursive replace right row rows sample select "
    "semi anti similar table then true try_cast unbounded union unnest using values when where "
    "window with within"
)
_KEYWORDS = frozenset(_KEYWORD_TEXT.split())
_PATTERN = re.compile(
    r"(?P<comment>--.*|/\*.*?(?:\*/|$))"
    r"|(?P<string>'(?:[^']|'')*(?:'|$))"
    r'|(?P<quoted>"(?:[^"]|"")*(?:"|$))'
    r"|(?P<number>\b\d+(?:\.\d*)?(?:[eE][+-]?\d+)?\b)"
    r"|(?P<word>\b[^\W\d]\w*\b)(?P<call>\s*\()?"
)


def find_words(line: str) -> Iterator[tuple[int, int, str]]:
    """Start, end and kind of every coloured word: keyword, function, string, number, comment."""
    for match in _PATTERN.finditer(line):
        for kind in ("comment", "string", "number"):
            if match[kind] is not None:
                yield (*match.span(kind), kind)
        if match["word"] is None:
            continue
        if match["word"].lower() in _KEYWORDS:
            yield (*match.span("word"), "keyword")
        elif match["call"] is not None:
            yield (*match.span("word"), "function")
