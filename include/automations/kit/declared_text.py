"""Decodes text in its declared charset: by its byte order mark, its header, or its first line."""

from __future__ import annotations

import codecs
import re
from contextlib import suppress
from encodings import normalize_encoding
from encodings.aliases import aliases

_CALLED_TEXT = re.compile(
    r"text/.+|[\w.+/-]+\+(?:xml|yaml|csv)|application/(?:x-)?(?:xml|xhtml|yaml|toml|csv|ndjson|jsonl|"
    r"jsonlines|javascript|ecmascript|typescript|www-form-urlencoded|sql|graphql|sh|pem-file)",
    re.ASCII,
)

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_WIDE = ((b"<\0?\0", "utf-16-le"), (b"\0<\0?", "utf-16-be"))
"""How a declaration of XML begins in UTF-16 that has no mark."""
_PARAMETER = re.compile(r';\s*charset\s*=\s*(?:"([^"]*)"|([^\s;"]+))', re.IGNORECASE)
_MARKED = re.compile(r"utf[-_]?(?:16|32)", re.IGNORECASE)
_NAME = rb"""\s*=\s*["']?\s*([\w.:-]+)"""
_XML = re.compile(rb"<\?xml[^>]{0,200}?\sencoding" + _NAME)
_HTML = re.compile(rb"<meta[^>]{0,200}?\bcharset" + _NAME, re.IGNORECASE)
_CONTROLS = re.compile(rb"[\x80-\x9f]")
_SNIFFED_BYTES = 1_024
"""Bytes within which a page says its charset, by the standard of HTML."""

# Python has codecs that are no charsets, among them some that unpack.
_CHARSETS = frozenset(
    {
        *("ascii", "utf-8", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"),
        *(f"iso8859-{number}" for number in (*range(1, 12), 13, 14, 15, 16)),
        *(f"cp{number}" for number in (*range(1250, 1259), 437, 720, 737, 775, 850, 852, 855)),
        *(f"cp{number}" for number in (*range(857, 867), 869, 874, 1125)),
        *("koi8-r", "koi8-u", "koi8-t", "kz1048", "ptcp154", "tis-620"),
        *("mac-roman", "mac-cyrillic", "mac-greek", "mac-iceland", "mac-latin2", "mac-turkish"),
        *("shift_jis", "shift_jis_2004", "cp932", "euc_jp", "euc_jis_2004"),
        *("iso2022_jp", *(f"iso2022_jp_{kind}" for kind in ("1", "2", "2004", "3", "ext"))),
        *("euc_kr", "cp949", "johab", "iso2022_kr"),
        *("gb2312", "gbk", "gb18030", "hz", "big5", "big5hkscs", "cp950"),
    }
)
_ALIASES = {
    **dict.fromkeys(("unicode_1_1_utf_8", "unicode11utf8", "unicode20utf8"), "utf-8"),
    **dict.fromkeys(("x_unicode20utf8", "utf8mb3", "utf8mb4", "utf_8_sig"), "utf-8"),
    **dict.fromkeys(("unicode", "unicodefeff", "csunicode"), "utf-16-le"),
    **dict.fromkeys(("ucs_2", "iso_10646_ucs_2"), "utf-16-le"),
    "unicodefffe": "utf-16-be",
    "windows_31j": "cp932",
    **dict.fromkeys(("x_sjis", "csshiftjis"), "shift_jis"),
    **dict.fromkeys(("x_euc_jp", "cseucpkdfmtjapanese"), "euc_jp"),
    **dict.fromkeys(("x_gbk", "gb_2312_80", "csgb2312", "csiso58gb231280"), "gbk"),
    **dict.fromkeys(("cn_big5", "x_x_big5", "csbig5"), "big5"),
    **dict.fromkeys(("windows_949", "ks_c_5601_1989", "ksc_5601", "cseuckr"), "cp949"),
    **dict.fromkeys(("iso_ir_149", "csksc56011987"), "cp949"),
    **dict.fromkeys(("windows_874", "dos_874"), "cp874"),
    **dict.fromkeys(("iso_8859_8_i", "csiso88598i", "logical"), "iso8859-8"),
    **dict.fromkeys(("iso_8859_8_e", "csiso88598e", "visual"), "iso8859-8"),
    **{f"8859_{number}": f"iso8859-{number}" for number in (*range(1, 12), 13, 14, 15, 16)},
    **dict.fromkeys(("koi", "koi8"), "koi8-r"),
    "koi8_ru": "koi8-u",
    **dict.fromkeys(("mac", "csmacintosh", "x_mac_roman"), "mac-roman"),
    **dict.fromkeys(("x_mac_cyrillic", "x_mac_ukrainian"), "mac-cyrillic"),
    **{
        f"{mark}{number}": f"cp{number}"
        for number in range(1250, 1259)
        for mark in ("x_cp", "win", "windows")
    },
    **{f"ibm{name[2:]}": name for name in sorted(_CHARSETS) if re.fullmatch(r"cp[78]\d\d", name)},
}
"""Names of the web's that Python does not know."""
_MAX_NAME = 40


def _plain(name: str) -> str:
    """A name as names are compared, by UTS #22: programs write one with other marks, or none."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


_MODULES = {normalize_encoding(name): name for name in _CHARSETS} | {"latin_1": "iso8859-1"}
# Python itself is not asked: it keeps each name that it was ever asked for, also of none.
_NAMES = {
    _plain(name): charset
    for known in (
        {alias: _MODULES[module] for alias, module in aliases.items() if module in _MODULES},
        _MODULES,
        _ALIASES,
    )
    for name, charset in known.items()
}
_WIDER = {
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "big5": "big5hkscs",
    "gb2312": "gb18030",
    "gbk": "gb18030",
}
"""What programs write that name the narrower one."""


def is_text_type(content_type: str) -> bool:
    """Whether what is of a type is text: by its name, or since it has a charset."""
    kind, _, more = content_type.lower().partition(";")
    return _CALLED_TEXT.fullmatch(kind.strip()) is not None or "charset=" in more


def text_of(content: bytes, content_type: str) -> str:
    """The text that some bytes are, without its mark.

    Raises:
        ValueError: they are none in the charset that they say to be in.
    """
    mark = _mark_of(content)
    named = None if mark else _declared_charset(content, content_type)
    text = decode(content, named or _guess_charset(content))
    if text is not None:
        return text
    if mark is None and named is None:
        raise ValueError("names no charset, and is not UTF-8")
    raise ValueError(f"is not the {named or (mark and mark[1])} that it says to be")


def bom_charset(content: bytes) -> str | None:
    """The charset that some bytes say to be in by their mark; None when they have none."""
    mark = _mark_of(content)
    return mark[1] if mark else None


def decode(content: bytes, charset: str) -> str | None:
    """The text that some bytes are in a charset, or in that of their mark; None when they are not.

    Raises:
        ValueError: the charset is not known; says so.
    """
    mark = _mark_of(content)
    return (
        _read(content[len(mark[0]) :], mark[1])
        if mark
        else _read(content, _canonical_charset(charset))
    )


def decode_field(content: bytes, charset: str) -> str | None:
    """The same of a form's field, where what looks like a mark is text, but in wide letters.

    Raises:
        ValueError: the charset is not known; says so.
    """
    return (
        decode(content, charset)
        if _MARKED.match(charset)
        else _read(content, _canonical_charset(charset))
    )


def _read(rest: bytes, name: str) -> str | None:
    if name == "iso8859-1" and _CONTROLS.search(rest):
        # No text has these characters; what programs so name is Windows' then, as browsers read it.
        with suppress(UnicodeDecodeError):
            return rest.decode("cp1252")
    for candidate in (name, _WIDER.get(name)):
        if candidate is not None:
            with suppress(UnicodeDecodeError):
                return rest.decode(candidate)
    return None


def encode(text: str, content_type: str) -> bytes:
    """A text in the charset that it is said to be in: by its Content-Type, or its own first line.

    Raises:
        ValueError: the charset is not known, or does not have all its letters; for people.
    """
    name = (
        _declared_charset(text[:_SNIFFED_BYTES].encode(errors="replace"), content_type) or "utf-8"
    )
    # With its mark, as whoever says no byte order must write it.
    charset = (
        _canonical_charset(name).removesuffix("-le")
        if _MARKED.fullmatch(name)
        else _canonical_charset(name)
    )
    try:
        return text.encode(charset)
    except UnicodeEncodeError as error:
        letter = text[error.start]
        raise ValueError(f"has '{letter}', which the charset {name[:50]} does not have") from error


def legible(content: bytes, content_type: str) -> str:
    """The text that some bytes are as near as can be, for people."""
    mark = _mark_of(content)
    try:
        charset = (
            mark[1]
            if mark
            else _canonical_charset(_declared_charset(content, content_type) or "utf-8")
        )
    except ValueError:
        charset = "utf-8"
    return content[len(mark[0]) if mark else 0 :].decode(charset, errors="replace")


def _mark_of(content: bytes) -> tuple[bytes, str] | None:
    return next((mark for mark in _MARKS if content.startswith(mark[0])), None)


def _declared_charset(content: bytes, content_type: str) -> str | None:
    parameter = _PARAMETER.search(content_type)
    if parameter is not None:
        return (parameter[1] or parameter[2] or "").strip() or None
    declaration = _XML.match(content)
    if declaration is None and content_type.partition(";")[0].strip().lower() == "text/html":
        declaration = _HTML.search(content, 0, _SNIFFED_BYTES)
    if declaration is None:
        return None
    name = declaration[1].decode("ascii", "replace")
    # Whoever can read this in single bytes has no wide characters before them.
    return "utf-8" if name.lower().startswith(("utf-16", "utf-32")) else name


def _canonical_charset(name: str) -> str:
    short = name if name.isascii() and len(name) <= _MAX_NAME else ""
    charset = _NAMES.get(_plain(short))
    if charset is None:
        raise ValueError(f"says to be in the charset '{name[:50]}', which is not known")
    # Without a mark: the little end first, as nearly everybody writes it.
    return f"{charset}-le" if charset in ("utf-16", "utf-32") else charset


def _guess_charset(content: bytes) -> str:
    return next((charset for begin, charset in _WIDE if content.startswith(begin)), "utf-8")
