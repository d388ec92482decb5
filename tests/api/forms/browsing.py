"""A page as a browser without scripts has it: typed into, and sent by its buttons."""

from __future__ import annotations

from typing import Any

from lxml import html
from starlette.testclient import TestClient


class Page:
    """The page at an address, with one form."""

    def __init__(self, http: TestClient, path: str) -> None:
        self._http, self.path = http, path
        self._take(http.get(path))

    def type(self, **values: Any) -> None:
        """Fill inputs, the first of their label."""
        for label, value in values.items():
            self.input(label).value = value

    def input(self, label: str, number: int = 0) -> Any:
        """The input that a label belongs to; the numberth of those of this label."""
        found = [
            one for one in self.form.iter("label") if one.text_content().removesuffix(" *") == label
        ]
        return found[number].for_element

    def choose(self, label: str, filename: str, content: bytes, number: int = 0) -> None:
        """Choose a file of one's own for an input."""
        chosen = self.input(label, number)
        assert chosen.get("type") == "file"
        self._chosen.append((chosen.get("name"), (filename, content)))

    def legends(self) -> list[str]:
        """The names of the groups of inputs."""
        return [legend.text_content() for legend in self.form.iter("legend")]

    def buttons(self) -> list[str]:
        """What the buttons for people are called."""
        shown = [
            button for button in self.form.iter("button") if button.get("aria-hidden") != "true"
        ]
        return [button.text_content() for button in shown]

    def press(self, text: str) -> None:
        """Send the form by one of its buttons."""
        shown = [
            button for button in self.form.iter("button") if button.get("aria-hidden") != "true"
        ]
        (button,) = [button for button in shown if button.text_content() == text]
        self._send(button)

    def enter(self) -> None:
        """Press the key in an input: a browser takes the form's first button."""
        button = next(self.form.iter("button"))
        if button.get("disabled") is None:
            self._send(button)

    def wrong(self, label: str, number: int = 0) -> str:
        """What is said about an input to those who hear the page."""
        ids = self.input(label, number).get("aria-describedby", "").split()
        return " ".join(
            self.root.get_element_by_id(element_id).text_content() for element_id in ids
        )

    def _send(self, button: Any) -> None:
        data: dict[str, list[str]] = {}
        pressed = [(button.get("name"), button.get("value"))] if button.get("name") else []
        for name, value in [*self.form.form_values(), *pressed]:
            data.setdefault(name, []).append(value)
        if self.form.get("enctype") == "multipart/form-data":
            # A part without a file name is a text.
            texts = [(name, (None, text)) for name, many in data.items() for text in many]
            self._take(self._http.post(self.path, files=[*texts, *self._chosen]))
        else:
            self._take(self._http.post(self.path, data=data))

    def _take(self, answer: Any) -> None:
        self.status: int = answer.status_code
        self.text: str = answer.text
        self.headers = answer.headers
        self.root = html.fromstring(answer.text)
        # As a browser reads it: the line break behind the tag is none of the text's.
        for area in self.root.iter("textarea"):
            area.text = (area.text or "").removeprefix("\n")
        self._chosen: list[tuple[str, tuple[str, bytes]]] = []
        self.form: Any = self.root.forms[0] if self.root.forms else None
