"""Texts for subjects, names and file names that try to be headers, bodies or something else."""

from __future__ import annotations

TEXTS: dict[str, str] = {
    "an encoded word with a header": (
        "=?utf-8?Q?Hi=0D=0AReply-To:_x@evil.example=0D=0A=0D=0AOther_body?="
    ),
    "an encoded word in base64": "=?utf-8?b?SGkNClJlcGx5LVRvOiB4QGV2aWwuZXhhbXBsZQ==?=",
    "an encoded word within": "Re: =?iso-8859-1?q?=A3?= and =?utf-8?q?more?=",
    "an encoded word in a quoted text": '"=?utf-8?q?=0D=0ABcc:_x@evil.example?="',
    "half an encoded word": "=?utf-8?q?never ends",
    "a charset of nobody's": "=?klingon?q?abc?=",
    "a parameter of its own": 'a"; filename="b.exe',
    "an escaped quote": 'a\\"; x="b',
    "a percent sign": "100%25.pdf",
    "a parameter as RFC 2231 writes it": "utf-8''%0D%0ABcc%3A%20x",
    "an address": "Ada <ada@evil.example>, ",
    "a comment": "Ada (not her) <x>",
    "a group": "friends: a@evil.example;",
    "blanks around": "  both ends  ",
    "blanks within": "two  blanks   within",
    "blanks only": "   ",
    "a tab": "a\tb",
    "other ends of lines": "a\x0bb\x0cc\x1cd\x85e\u2028f\u2029g",
    "control characters": "a\x00b\x01c\x7fd\x1b[31m",
    "marks of direction": "\u202egpj.exe\u202c",
    "a byte order mark": "\ufeffHi",
    "letters outside ASCII": "Zażółć gęślą jaźń",
    "letters of many bytes": "名前 — 😀👩‍👩‍👧‍👦" * 12,
    "one long word": "x" * 900,
    "many words": "to be or not to be, " * 40 + "that is",
    "many blanks": "a" + " " * 300 + "b",
    "nothing": "",
    "a colon": "Bcc: x@evil.example",
    "a dot": ".",
    "an equals sign": "=",
}
"""Each is one line, and arrives as it is."""

BREAKS = ("\r\n", "\n", "\r", "\r\n ", "\n\t", "\r\n\r\n")
"""Each would end a header."""

BODIES: dict[str, str] = {
    "lines of a mailbox file": "From me to you\nFrom here\n From there\n>From\nfrom\nFrom",
    "dots": ".\n..\n.a\nb.\n.",
    "what looks like a header": "Bcc: x@evil.example\n\nHi",
    "what looks like a part": "--===============1==--\n\n--\n",
    "blanks at ends": "a \nb\t\n \n\n\n",
    "long lines": "x" * 5_000 + "\n" + "From " * 1_000,
    "equals signs": "a=b=3D=\n=",
    "letters outside ASCII": "Zażółć\n名前 😀\n",
    "other ends of lines": "a\x0bb\x0cc\x1cd\x85e\u2028f",
    "control characters": "a\x00b\x7f\x1b",
    "nothing": "",
    "empty lines": "\n\n",
}
"""Each arrives as it is, but for the end of its last line."""
