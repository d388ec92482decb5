"""What a part of a form, or a content type, may say behind its value."""

from __future__ import annotations

MORE: dict[str, tuple[str, str]] = {
    "a codec of nobody's": ("; filename*=klingon''a.txt", "klingon"),
    "a codec that is no charset": ("; filename*=punycode''a-" + "b" * 3_000, "punycode"),
    "a codec that reads escapes": ("; filename*=unicode_escape''%5Cx41", "unicode_escape"),
    "a codec of names": ("; filename*=idna''xn--a", "idna"),
    "a codec that unpacks": ("; filename*=zlib''x", "zlib"),
    "a name of a charset without an end": (f"; filename*={'x' * 4_000}''a", "charset"),
    "not in the charset": ("; filename*=utf-8''%FF", "utf-8"),
    "half a pair": ("; filename*=utf-8''%ED%A0%80", "utf-8"),
    "pieces without the first": ("; filename*1=a; filename*2=.txt", "pieces"),
    "pieces with a gap": ("; filename*0=a; filename*2=.txt", "pieces"),
    "pieces of a codec of nobody's": ("; filename*0*=klingon''a; filename*1*=.txt", "klingon"),
    "pieces not in the charset": ("; filename*0*=utf-8''%C3; filename*1=.txt", "utf-8"),
}
"""Each behind the name of a part: refused, with a word of why."""

READ: dict[str, tuple[str, str]] = {
    "a plain text": ("; filename=a.txt", "a.txt"),
    "a quoted one": ('; filename="a;b.txt"', "a;b.txt"),
    "an escaped quote": (r'; filename="a\"b.txt"', 'a"b.txt'),
    "a path of Windows": (r'; filename="C:\new\a.txt"', r"C:\new\a.txt"),
    "capitals and blanks": ('; FileName = "a.txt" ', "a.txt"),
    "more than one": ("; filename=a.txt; filename=b.txt", "a.txt"),
    "another form beside it": ("; filename=x.txt; filename*=UTF-8''%C3%A9.txt", "é.txt"),
    "another form before it": ("; filename*=iso-8859-1'en'%E9.txt; filename=x.txt", "é.txt"),
    "no charset": ("; filename*=''%C3%A9.txt", "é.txt"),
    "other ends of lines": ('; filename="a\x0b\x85\u2028b.txt"', "a\x0b\x85\u2028b.txt"),
    "a quote without an end": ('; filename="a.txt', '"a.txt'),
    "a quote within": ('; filename=a"b;c"d', 'a"b;c"d'),
    "pieces": ('; filename*0="a; b"; filename*1=".txt"', "a; b.txt"),
    "pieces in another order": ("; filename*1=.txt; filename*0=a", "a.txt"),
    "encoded pieces": ("; filename*0*=utf-8''%C3%A9; filename*1*=.txt", "é.txt"),
    "a letter in two pieces": ("; filename*0*=utf-8''%C3; filename*1*=%A9.txt", "é.txt"),
    "pieces of both kinds": (
        "; filename*0*=iso-8859-1'de'%FC; filename*1=%20; filename*2*=%E9.txt",
        "ü%20é.txt",
    ),
    "pieces without a charset": ("; filename*0=a; filename*1*=%C3%A9.txt", "aé.txt"),
    "pieces beside a plain one": ("; filename=x; filename*0=a; filename*1=.txt", "a.txt"),
    "a name that ends so": ("; xfilename=x; filename=a", "a"),
}
"""Each behind the name of a part, and what its file is called."""

UNITS = (
    ";",
    '"',
    "\\",
    '";',
    '\\"',
    'a"',
    ';"',
    ";a",
    ";filename",
    ";filename=",
    "=",
    "*",
    "'",
    "%",
)
"""Of which senders write as many as a header holds."""

CHARSETS = (
    "charset*=klingon''x",
    "charset*0=utf-8",
    "charset*=utf-8''utf-8",
    'charset="',
    "charset*=",
)
"""Parameters of a content type."""
