"""Bodies whose bytes are not the UTF-8 that one hopes for, and what they say."""

from __future__ import annotations

import codecs

NAME = "Müller"

TEXTS: dict[str, tuple[str, bytes, str]] = {
    "UTF-8": ("text/plain; charset=utf-8", "Müller 山 😀".encode(), "Müller 山 😀"),
    "UTF-8 with a mark": ("text/csv", codecs.BOM_UTF8 + "Müller".encode(), "Müller"),
    "a mark within": ("text/plain", "a\ufeffb".encode(), "a\ufeffb"),
    "ISO-8859-1": ("text/html; charset=ISO-8859-1", "Müller".encode("latin-1"), "Müller"),
    "a quoted name": ('text/plain; x=1; Charset="iso-8859-1"', "é".encode("latin-1"), "é"),
    "the Windows one": ("text/plain;charset=windows-1252", "“€”".encode("cp1252"), "“€”"),
    "ISO-8859-1 that is Windows'": (
        "text/html; charset=iso-8859-1", "“€” é".encode("cp1252"), "“€” é",
    ),
    "Shift_JIS": ("text/csv; charset=Shift_JIS", "名前,〜".encode("shift_jis"), "名前,〜"),
    "Shift_JIS of Windows": ("text/csv; charset=Shift_JIS", "①髙".encode("cp932"), "①髙"),
    "EUC-KR of Windows": ("text/plain; charset=euc-kr", "똠".encode("cp949"), "똠"),
    "GB2312 of today": ("text/plain; charset=gb2312", "镕€".encode("gb18030"), "镕€"),
    "KOI8-R": ("text/plain; charset=koi8-r", "Привет".encode("koi8-r"), "Привет"),
    "a name without its marks": ("text/csv; charset=iso88591", "é".encode("latin-1"), "é"),
    "a name of Java's": ("text/plain; charset=8859_15", "5 €".encode("iso8859-15"), "5 €"),
    "a name with other marks": ("text/plain; charset='Latin-9'", "€".encode("iso8859-15"), "€"),
    "a name of Python's": ("text/plain; charset=utf-8-sig", "é".encode("utf-8-sig"), "é"),
    "DOS in Greece": ("text/plain; charset=IBM737", "Ω".encode("cp737"), "Ω"),
    "Johab": ("text/plain; charset=johab", "한글".encode("johab"), "한글"),
    "Japanese mail": (
        "text/plain; charset=ISO-2022-JP-2", "日本".encode("iso2022_jp_2"), "日本",
    ),
    "UTF-16 with a mark": ("text/plain; charset=utf-16", "Müller".encode("utf-16"), "Müller"),
    "UTF-16 without one": ("text/plain; charset=utf-16", "Müller".encode("utf-16-le"), "Müller"),
    "UTF-16 in big ends": ("text/plain; charset=utf-16be", "Müller".encode("utf-16-be"), "Müller"),
    "a mark and no name": ("text/plain", codecs.BOM_UTF16_BE + "é".encode("utf-16-be"), "é"),
    "a mark against the name": ("text/plain; charset=latin1", codecs.BOM_UTF8 + b"\xc3\xa9", "é"),
    "a name against the document": (
        "text/xml; charset=utf-8", "<?xml version='1.0' encoding='latin1'?><a>é</a>".encode(),
        "<?xml version='1.0' encoding='latin1'?><a>é</a>",
    ),
    "XML that says it": (
        "application/xml", b'<?xml version="1.0" encoding="ISO-8859-2"?><a>\xb3</a>',
        '<?xml version="1.0" encoding="ISO-8859-2"?><a>ł</a>',
    ),
    "XML that cannot be what it says": (
        "text/xml", "<?xml version='1.0' encoding='UTF-16'?><a>é</a>".encode(),
        "<?xml version='1.0' encoding='UTF-16'?><a>é</a>",
    ),
    "XML in UTF-16": (
        "text/xml", "<?xml version='1.0'?><a>é</a>".encode("utf-16-le"),
        "<?xml version='1.0'?><a>é</a>",
    ),
    "a page that says it": (
        "text/html", b"<html><head><META charset='windows-1251'><p>\xc4\xe0",
        "<html><head><META charset='windows-1251'><p>Да",
    ),
    "a page that says it as a header": (
        "text/html", b'<meta http-equiv="content-type" content="text/html; charset=latin1">\xe9',
        '<meta http-equiv="content-type" content="text/html; charset=latin1">é',
    ),
}  # fmt: skip
"""What a body of text says to be, its bytes, and the text."""

JSONS: dict[str, tuple[str, bytes]] = {
    "UTF-8": ("application/json", f'{{"name": "{NAME}"}}'.encode()),
    "UTF-8 with a mark": ("application/json", codecs.BOM_UTF8 + f'{{"name": "{NAME}"}}'.encode()),
    "ISO-8859-1": (
        "application/json; charset=iso-8859-1", f'{{"name": "{NAME}"}}'.encode("latin-1")
    ),
    "UTF-16": ("application/json", f'{{"name": "{NAME}"}}'.encode("utf-16")),
    "UTF-16 without a mark": ("application/ld+json", f'{{"name": "{NAME}"}}'.encode("utf-16-le")),
    "UTF-32": ("text/json", f'{{"name": "{NAME}"}}'.encode("utf-32")),
    "a type of before": ("text/x-json", f'{{"name": "{NAME}"}}'.encode()),
    "a browser's report": ("application/csp-report", f'{{"name": "{NAME}"}}'.encode()),
    "ISO-8859-1 without its marks": (
        "application/json; charset=iso88591", f'{{"name": "{NAME}"}}'.encode("latin-1")
    ),
    "UTF-16 by name": ("application/json;charset=UTF-16", f'{{"name": "{NAME}"}}'.encode("utf-16")),
}  # fmt: skip
"""Each of them is an object with the name."""

REFUSED: dict[str, tuple[str, bytes, str]] = {
    "a charset of nobody's": ("text/plain; charset=klingon", b"x", "charset 'klingon'"),
    "a codec that unpacks": ("text/plain; charset=zlib", b"x", "charset 'zlib'"),
    "a codec that turns": ("text/plain; charset=rot13", b"x", "charset 'rot13'"),
    "a codec of Python's": ("text/plain; charset=unicode_escape", rb"\x41", "'unicode_escape'"),
    "a codec of names": ("text/plain; charset=punycode", b"a-" * 9, "charset 'punycode'"),
    "a charset that hides": ("text/plain; charset=utf-7", b"+ADw-", "charset 'utf-7'"),
    "not what it says": ("text/plain; charset=utf-8", b"\xe9", "not the utf-8 that it says"),
    "not all of it": ("text/plain; charset=us-ascii", b"a\xe9", "not the us-ascii that it says"),
    "nothing said": ("text/csv", b"M\xfcller", "names no charset, and is not UTF-8"),
    "a NUL": ("text/plain", b"a\0b", "a NUL character"),
    "no JSON": ("application/json", b"<html>", "is not valid JSON"),
    "JSON and more": ("application/json", b"{} {}", "is not valid JSON"),
    "NaN": ("application/json", b'{"a": NaN}', "is not valid JSON"),
    "a large number": (
        "application/json",
        b'{"a": 1e400}',
        "the number 1e400, which cannot be kept",
    ),
    "a long number": ("application/json", b"9" * 5_000, "a number of more than 4000 digits"),
    "depth": ("application/json", b"[" * 101 + b"]" * 101, "deeper than 100 levels"),
    "much depth": ("application/json", b"[" * 90_000 + b"]" * 90_000, "recursion limit exceeded"),
    "a NUL in JSON": ("application/json", rb'{"a": {"b": "\u0000"}}', "a NUL character"),
    "half a pair in JSON": ("application/json", rb'["\ud83d"]', "half of a surrogate pair"),
    "a field twice": ("application/json", b'{"a": 1, "a": 2}', 'holds "a" twice'),
    "a long decimal": ("application/json", b"[12345678901234567890.123456789]", "kept exactly"),
    "JSON in an unknown charset": ("application/json; charset=x", b"{}", "charset 'x'"),
    "JSON that is not UTF-8": ("application/json", b'{"a": "\xfc"}', "is not the utf-8"),
}
"""What a body says to be, its bytes, and what is told of it."""
