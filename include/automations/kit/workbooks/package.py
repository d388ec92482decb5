"""A workbook's package: its parts, of which none is unpacked beyond bounds or parsed beyond XML."""

from __future__ import annotations

import io
import posixpath
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from xml.parsers import expat

MAX_UNPACKED_BYTES = 100_000_000
"""What is packed says nothing of how much comes out."""
_MAX_PARTS = 10_000
_BLOCK = 65_536
_PACKED = b"PK\x03\x04"
_COMPOUND = b"\xd0\xcf\x11\xe0"
_MAIN = "/officeDocument"
"""The end of the type of what leads to the workbook itself."""

Begin = Callable[[str, Mapping[str, str]], None]


class NotAWorkbook(ValueError):
    """A file is no workbook that can be read, and why."""


@dataclass(frozen=True, slots=True)
class Relation:
    """Where a part leads to."""

    kind: str
    part: str


def is_packed(content: bytes) -> bool:
    """Whether a file is a workbook rather than a text, to judge by how it begins."""
    return content.startswith((_PACKED, _COMPOUND))


class Package:
    """The parts of a workbook."""

    def __init__(self, package: zipfile.ZipFile) -> None:
        entries = package.infolist()
        if len(entries) > _MAX_PARTS:
            raise NotAWorkbook(f"has {len(entries)} parts; {_MAX_PARTS} at most")
        unpacked = sum(entry.file_size for entry in entries)
        if unpacked > MAX_UNPACKED_BYTES:
            message = f"unpacks to {unpacked} bytes; {MAX_UNPACKED_BYTES} at most"
            raise NotAWorkbook(f"{message}: save the sheet as CSV, and choose that file")
        self._package = package
        self._names = {entry.filename for entry in entries}

    def main(self) -> str:
        """The part that names the sheets."""
        leading = self.relations("").values()
        main_part = next(
            (relation.part for relation in leading if relation.kind.endswith(_MAIN)), None
        )
        if main_part is None or main_part not in self._names or not main_part.endswith(".xml"):
            raise NotAWorkbook("is no workbook (.xlsx): save it as one, or as CSV")
        return main_part

    def relations(self, part: str) -> Mapping[str, Relation]:
        """Where a part leads to, by the ids that it has for it."""
        folder, name = posixpath.split(part)
        relations: dict[str, Relation] = {}

        def begin(tag: str, attributes: Mapping[str, str]) -> None:
            if tag == "Relationship" and attributes.get("TargetMode") != "External":
                target = attributes.get("Target", "")
                path = posixpath.normpath(posixpath.join("/", folder, target)).lstrip("/")
                relations[attributes.get("Id", "")] = Relation(attributes.get("Type", ""), path)

        self.parse(posixpath.join(folder, "_rels", f"{name}.rels"), begin)
        return relations

    def parse(
        self,
        part: str,
        begin: Begin,
        end: Callable[[str], None] | None = None,
        text: Callable[[str], None] | None = None,
    ) -> None:
        """Go through a part's elements, by their names without a namespace; none where it lacks."""
        if part not in self._names:
            return
        # Two namespaces are in use for the same names.
        parser = expat.ParserCreate(namespace_separator=" ")
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = _refuse_entities
        parser.StartElementHandler = lambda tag, attributes: begin(
            _local(tag), {_local(name): value for name, value in attributes.items()}
        )
        if end is not None:
            parser.EndElementHandler = lambda tag: end(_local(tag))
        if text is not None:
            parser.CharacterDataHandler = text
        with self._package.open(part) as stream:
            while block := stream.read(_BLOCK):
                parser.Parse(block, False)
        parser.Parse(b"", True)


@contextmanager
def open_package(content: bytes) -> Iterator[Package]:
    """A workbook's parts.

    Raises:
        NotAWorkbook: it is none, or a damaged one; also while its parts are read.
    """
    if content.startswith(_COMPOUND):
        if "EncryptedPackage".encode("utf-16-le") in content:
            raise NotAWorkbook("is protected by a password: save it without one")
        raise NotAWorkbook("is in the form of Excel 97 (.xls): save it as .xlsx, or as CSV")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as package:
            yield Package(package)
    except expat.ExpatError as error:
        raise NotAWorkbook(f"is a damaged workbook: {error}") from error
    except (
        zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError,
        OverflowError,
    ) as error:  # fmt: skip
        message = f"is no sound workbook (.xlsx): {error}; save the sheet as CSV, and choose that"
        raise NotAWorkbook(message) from error


def _local(name: str) -> str:
    return name.rpartition(" ")[2]


def _refuse_entities(*_: object) -> None:
    raise NotAWorkbook("is a damaged workbook: it defines entities")
