"""Finds the characters of a document that no font of this machine has."""

from __future__ import annotations

import subprocess
import unicodedata
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import typst
from lxml import etree

_CONFIGURATION = """\
<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "urn:fontconfig:fonts.dtd">
<fontconfig>
  <include ignore_missing="yes">/etc/fonts/fonts.conf</include>
  <selectfont><rejectfont>
    <pattern><patelt name="color"><bool>true</bool></patelt></pattern>
  </rejectfont></selectfont>
</fontconfig>
"""
_TIMEOUT = 30
"""For a program that answers at once."""
# Letters that every machine has: Latin, Greek, Cyrillic, and the signs of their texts.
_EVERYWHERE = 0x0530
_SYMBOL_FONTS = range(0xF000, 0xF100)
"""How Word writes the characters of fonts like Wingdings, which are mapped to others."""
_BOXES = frozenset("□▢◻☐⬜")
"""Drawn as what stands for a missing glyph is drawn."""
_MAX_NAMED = 8
_MISSING = "\U0010fffe"
"""A character that no font has, as it is no character."""
_PAGE = '#set page(width: 9cm, height: 9cm)\n#set text(font: "Libertinus Serif")\n'


def configuration(folder: Path) -> Path:
    """Fontconfig's settings for LibreOffice, written into a folder.

    Before 7.5 it leaves glyphs in colour out of a PDF and, worse, takes their font for the other
    characters of the text, too: fonts in colour are kept from it.
    """
    path = folder / "fonts.conf"
    path.write_text(_CONFIGURATION)
    return path


def rare_characters(document: Path) -> list[str]:
    """The characters of a document that a machine may have no font for, in order."""
    characters: set[str] = set()
    with zipfile.ZipFile(document) as package:
        for name in package.namelist():
            if name.startswith("word/") and name.endswith(".xml"):
                root = etree.fromstring(package.read(name))
                for element in root.iter("{*}t"):
                    characters.update(element.text or "")
    return sorted(filter(_is_rare, characters))


def unknown_to_fontconfig(characters: Iterable[str], folder: Path) -> list[str]:
    """Those that LibreOffice has no font for; none where fontconfig's program is missing."""
    characters = list(characters)
    if not characters:
        return []
    try:
        listed = subprocess.run(
            # By the PATH, as everything of the system is.
            ["fc-list", "--format", "%{charset}\n"],  # noqa: S607 -- from PATH, as soffice
            env={"FONTCONFIG_FILE": str(configuration(folder))},
            capture_output=True,
            text=True,
            timeout=_TIMEOUT,
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return []
    ranges = set(_ranges(listed))
    return [
        character
        for character in characters
        if not any(first <= ord(character) <= last for first, last in ranges)
    ]


def unknown_to_typst(characters: Iterable[str], folder: Path) -> list[str]:
    """Those that the typesetter shows as it shows what is no character."""
    characters = list(characters)
    if not characters:
        return []
    source = folder / "characters.typ"
    pages = "#pagebreak()\n".join(
        f'#text("\\u{{{ord(character):x}}}")\n' for character in [_MISSING, *characters]
    )
    source.write_text(_PAGE + pages)
    drawn = typst.compile(str(source), root=str(folder), format="svg")
    assert isinstance(drawn, list)
    glyphs = [_glyphs(page) for page in drawn]
    box = glyphs[0]
    return [
        character
        for character, shown in zip(characters, glyphs[1:], strict=True)
        if character not in _BOXES and (not shown or shown & box)
    ]


def describe(characters: Iterable[str]) -> str:
    """Characters for people: the first of them, with their numbers."""
    characters = list(characters)
    listed = ", ".join(
        f"{character} (U+{ord(character):04X})" for character in characters[:_MAX_NAMED]
    )
    more = len(characters) - _MAX_NAMED
    return f"{listed} and {more} more" if more > 0 else listed


def _is_rare(character: str) -> bool:
    if ord(character) < _EVERYWHERE or ord(character) in _SYMBOL_FONTS:
        return False
    # Marks are drawn with a letter, and what only steers the text is not drawn.
    return unicodedata.category(character)[0] in "LNPSC" and unicodedata.category(
        character
    ) not in ("Cf", "Cc", "Cn", "Cs")


def _ranges(listed: str) -> Iterator[tuple[int, int]]:
    for word in listed.split():
        first, _, last = word.partition("-")
        yield int(first, 16), int(last or first, 16)


def _glyphs(page: bytes) -> set[str]:
    root = etree.fromstring(page, etree.XMLParser(huge_tree=True))
    used = {
        value
        for element in root.iter("{*}use")
        for key, value in element.items()
        if etree.QName(key).localname == "href"
    }
    # A glyph in colour is a picture.
    return used | {"a picture" for _ in root.iter("{*}image")}
