"""Files that people upload with a form: which are accepted, and under which names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from automations.domain.forms.schema import FILES, FormSchema
from automations.kit.declared_text import bom_charset
from automations.kit.filenames import sent_name
from automations.kit.ids import new_id
from automations.kit.values import JSON

MAX_BYTES = 10_000_000
"""Of one file; it is in memory while it is taken, and in the database for good."""
MAX_FILES = 10
"""Files with one submission."""

_OFFICE = "application/vnd.openxmlformats-officedocument"
_OPEN = "application/vnd.oasis.opendocument"
CONTENT_TYPES: Mapping[str, str] = {
    "pdf": "application/pdf",
    "docx": f"{_OFFICE}.wordprocessingml.document",
    "xlsx": f"{_OFFICE}.spreadsheetml.sheet",
    "pptx": f"{_OFFICE}.presentationml.presentation",
    "odt": f"{_OPEN}.text",
    "ods": f"{_OPEN}.spreadsheet",
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "gif": "image/gif",
    "webp": "image/webp",
    "tiff": "image/tiff",
    "txt": "text/plain; charset=utf-8",
    "csv": "text/csv; charset=utf-8",
}
"""What is taken, by the extension; nothing that a browser or an office would run."""
_PACKED = (b"PK\x03\x04",)
_BEGINNINGS: Mapping[str, tuple[bytes, ...]] = {
    "pdf": (b"%PDF-",),
    **dict.fromkeys(("docx", "xlsx", "pptx", "odt", "ods"), _PACKED),
    "png": (b"\x89PNG\r\n\x1a\n",),
    **dict.fromkeys(("jpg", "jpeg"), (b"\xff\xd8\xff",)),
    "gif": (b"GIF87a", b"GIF89a"),
    "webp": (b"RIFF",),
    "tiff": (b"II*\0", b"MM\0*"),
}


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that was sent and is kept when the submission is taken."""

    name: str
    format: str
    content: bytes
    id: str = field(default_factory=new_id)

    @property
    def value(self) -> dict[str, JSON]:
        """What the form's data says of it."""
        return file_value(self.id, self.name, self.format, len(self.content))


def file_value(document_id: str, name: str, file_format: str, size: int) -> dict[str, JSON]:
    """What a form's data says of a document."""
    return {
        "documentId": document_id,
        "filename": name,
        "contentType": CONTENT_TYPES[file_format].partition(";")[0],
        "size": size,
    }


def upload(filename: str, content: bytes) -> Upload:
    """A file as it was sent; neither its name nor what the sender calls its type is trusted.

    Raises:
        ValueError: it is not taken; says why.
    """
    # Some browsers send the whole path.
    stem, dot, ending = filename.replace("\\", "/").rpartition("/")[2].rpartition(".")
    extension = ending.lower()
    if not dot or extension not in CONTENT_TYPES:
        raise ValueError(f"must be a file of one of these kinds: {', '.join(CONTENT_TYPES)}")
    if not content:
        raise ValueError("is an empty file")
    if len(content) > MAX_BYTES:
        raise ValueError(f"is over {MAX_BYTES // 1_000_000} MB")
    beginnings = _BEGINNINGS.get(extension)
    # A text begins with anything, but only other kinds of files, and wide letters, hold a NUL.
    is_text = b"\0" not in content or bom_charset(content) is not None
    if not (content.startswith(beginnings) if beginnings else is_text):
        raise ValueError(f"is not a {extension} file, whatever its name says")
    return Upload(sent_name(stem, ending), extension, content)


def replace_files(
    form: FormSchema, data: Mapping[str, JSON], look_up: Callable[[JSON], JSON]
) -> tuple[dict[str, JSON], dict[str, list[str]]]:
    """Data with other values in place of its files, and what is wrong with those.

    Args:
        look_up: gives the new value of one; raises ValueError when there can be none.
    """
    new, errors = dict(data), dict[str, list[str]]()
    for section in form.sections:
        names = [field.key for field in section.fields if field.type in FILES]
        items = new.get(section.items_key) if section.repeatable else None
        parts: list[tuple[str, dict[str, JSON]]] = [] if section.repeatable else [("", new)]
        if isinstance(items, list):
            copied = [dict(item) if isinstance(item, dict) else item for item in items]
            new[section.items_key] = copied
            parts = [
                (f"{section.items_key}.{index}.", item)
                for index, item in enumerate(copied)
                if isinstance(item, dict)
            ]
        for path, part in parts:
            for name in names:
                if part.get(name) in (None, ""):
                    continue
                try:
                    part[name] = look_up(part[name])
                except ValueError as error:
                    errors[path + name] = [str(error)]
    return new, errors
