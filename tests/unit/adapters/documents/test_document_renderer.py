"""The confined renderer: what templates become, and what hostile ones come to."""

from __future__ import annotations

import io
import os
import random
import re
import stat
import time
import zipfile
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pypdfium2
import pytest
from docx import Document
from docx.opc.constants import RELATIONSHIP_TYPE
from docx.oxml import parse_xml
from docx.oxml.ns import nsdecls
from docx.shared import Cm

from automations.adapters.documents import page, pandoc, soffice
from automations.adapters.documents.fair_semaphore import FairSemaphore
from automations.adapters.documents.renderer import ConfinedRenderer, Limits
from automations.errors import StepError, TemplateError
from tests.letters import letter, repacked, texts
from tests.waiting import until

pytestmark = pytest.mark.slow  # each fills a document, in a process of its own

DOCUMENT = "word/document.xml"


@pytest.fixture
def renderer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ConfinedRenderer:
    """A renderer on a machine without LibreOffice."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return ConfinedRenderer()


def filled(template: bytes, data: dict[str, Any], template_format: str = "docx") -> list[str]:
    return texts(ConfinedRenderer().render(template_format, template, data, "docx").content)


def typeset(docx: bytes, folder: Path) -> str:
    """What the typesetter is given for a DOCX."""
    path = folder / "document.docx"
    path.write_bytes(docx)
    return page.source(path, pandoc.typst_from_docx(path))


class TestFilling:
    def test_placeholders_and_loops_are_filled_in(self) -> None:
        template = letter(
            "Dear {{ submission.name }},",
            "{%p for item in submission.items %}",
            "{{ loop.index }}. {{ item.title }}",
            "{%p endfor %}",
        )
        data = {"submission": {"name": "Źdźbło", "items": [{"title": "One"}, {"title": "Two"}]}}
        assert filled(template, data) == ["Dear Źdźbło,", "1. One", "2. Two"]

    def test_the_names_a_template_takes_are_found_and_those_it_makes_are_not(self) -> None:
        template = letter(
            "{{ submission.name }} {{ steps['Look up'].total }}",
            "{% for item in input.items %}{{ item.title }}{% endfor %}{{ range(3)|list }}",
            build=lambda document: document.sections[0].header.paragraphs[0].add_run("{{ firm }}"),
        )
        assert ConfinedRenderer().placeholders("docx", template) == (
            "firm",
            "input.items",
            "steps.Look up.total",
            "submission.name",
        )

    def test_properties_of_the_document_are_filled_in_too(self) -> None:
        template = repacked(
            letter(
                "x", build=lambda document: setattr(document.core_properties, "title", "{{ a }}")
            ),
            {
                "docProps/app.xml": lambda part: re.sub(
                    rb"<Company>.*?</Company>|<Company/>", b"<Company>{{ firm }}</Company>", part
                )
            },
        )
        assert ConfinedRenderer().placeholders("docx", template) == ("a", "firm")
        content = ConfinedRenderer().render("docx", template, {"a": "T", "firm": "A & B"}, "docx")
        with zipfile.ZipFile(io.BytesIO(content.content)) as package:
            assert b"<Company>A &amp; B</Company>" in package.read("docProps/app.xml")
            assert b">T</dc:title>" in package.read("docProps/core.xml")

    def test_data_is_text_whatever_marks_it_holds(self) -> None:
        value = "<w:p/> & {{ 7*7 }} {% if %} źż"
        data = {"value": value, "unused": "\x01"}
        assert filled(letter("{{ value }}"), data) == [value]

    @pytest.mark.parametrize("template_format", ["docx", "markdown"])
    def test_a_character_that_no_document_can_hold_is_told(self, template_format: str) -> None:
        def made(text: str, data: dict[str, Any]) -> list[str]:
            content = letter(text) if template_format == "docx" else text.encode()
            return filled(content, data, template_format)

        for character in ("\x01", "\x0b", "\x0c", "\x1f", "\ufffe"):
            data = {"value": f"Ada{character}B"}
            with pytest.raises(TemplateError, match=f"U.{ord(character):04X}, which no document"):
                made("{{ value }}", data)
            written = character.encode("unicode_escape").decode()
            assert made(f"{{{{ value | replace('{written}', '+') }}}}", data) == ["Ada+B"]

    def test_values_are_written_as_in_other_templates(self) -> None:
        template = letter("{{ a }}|{{ b }}|{{ c }}|{{ d }}")
        data = {"a": True, "b": None, "c": "00123", "d": [1, "ż"]}
        assert filled(template, data) == ['true||00123|[1, "ż"]']

    def test_a_missing_name_is_named(self) -> None:
        template = letter("{{ submission.name }} {{ submission.surname }}")
        with pytest.raises(TemplateError, match=r"'submission\.surname', which is not there"):
            filled(template, {"submission": {"name": "Ada"}})

    def test_a_missing_name_of_a_markdown_template_is_named(self) -> None:
        with pytest.raises(TemplateError, match=r"'firm', which is not there"):
            filled(b"# {{ firm }}", {}, "markdown")

    def test_markdown_becomes_a_document_and_data_in_it_stays_text(self) -> None:
        value = '*a* <b>x</b> `#read("/etc/passwd")`{=typst} [x](http://x)\n# no heading\n1. no'
        paragraphs = filled(b"# Report\n\n**{{ value }}**\n", {"value": value}, "markdown")
        assert paragraphs == ["Report", value]

    def test_data_stays_as_it_is_in_code_in_links_and_in_the_title_of_a_markdown_template(
        self,
    ) -> None:
        template = (
            b"---\ntitle: '{{ x }}'\n---\n\n`{{ x }}` [l](https://a.example/{{ y }})\n\n"
            b"```\n  {{ x }}\n```\n\n- {{ z }}\n"
        )
        data = {"x": 'a_b  *c*: "d"', "y": "1?q=a_b&c=d e", "z": "    no code\n\n-  two"}
        content = ConfinedRenderer().render("markdown", template, data, "docx").content
        assert texts(content) == [
            'a_b  *c*: "d"',
            'a_b  *c*: "d" l',
            '  a_b  *c*: "d"',
            "    no code\n\n-  two",
        ]
        document = Document(io.BytesIO(content))
        assert document.core_properties.title == data["x"]
        assert [
            relationship._target
            for relationship in document.part.rels.values()
            if relationship.is_external
        ] == ["https://a.example/1?q=a_b&c=d%20e"]

    def test_data_in_a_markdown_template_leads_to_no_program(self) -> None:
        with pytest.raises(StepError, match="a link would lead to 'javascript:alert"):
            filled(b"[x]({{ y }})", {"y": "javascript:alert(1)"}, "markdown")

    def test_markdown_cannot_hold_a_later_programs_own_language(self) -> None:
        template = b"```{=openxml}\n<w:p><w:r><w:t>raw</w:t></w:r></w:p>\n```\n\n\\input{x} $5\n"
        paragraphs = filled(template, {}, "markdown")
        assert "raw" not in paragraphs
        assert paragraphs[-1] == "\\input{x} $5"

    def test_lines_of_data_stay_lines_also_in_a_cell_of_a_markdown_table(self) -> None:
        template = b"| a | b |\n|---|---|\n| {{ x }} | two |\n| 3 | {{ x }} |\n\n# {{ x }}\n\nend\n"
        data = {"x": "one | *three*\nnext\r\nlast"}
        content = ConfinedRenderer().render("markdown", template, data, "docx").content
        (table,) = Document(io.BytesIO(content)).tables
        lines = "one | *three*\nnext\nlast"
        assert [[cell.text for cell in row.cells] for row in table.rows] == [
            ["a", "b"],
            [lines, "two"],
            ["3", lines],
        ]
        assert texts(content) == [lines, "end"]

    @pytest.mark.parametrize(
        ("filter_name", "said"), [("uper", "is 'upper' meant?"), ("qqqqq", "there are abs, attr,")]
    )
    def test_a_filter_that_is_not_known_is_said_with_what_there_is(
        self, filter_name: str, said: str
    ) -> None:
        with pytest.raises(TemplateError) as error:
            ConfinedRenderer().placeholders("docx", letter(f"Dear {{{{ name|{filter_name} }}}}"))
        assert error.value.message.startswith(
            f"template: there is no filter '{filter_name}'; {said}"
        )
        assert "near 'Dear {{ name" in error.value.message

    @pytest.mark.parametrize(
        "target", ["javascript:alert(1)", "file:///etc/passwd", "vbscript:x", "http://[broken"]
    )
    def test_data_makes_no_link_that_runs_or_reads_something(self, target: str) -> None:
        def build(document: Any) -> None:
            document.part.relate_to("{{ url }}", RELATIONSHIP_TYPE.HYPERLINK, is_external=True)

        template = letter("x", build=build)
        assert ConfinedRenderer().placeholders("docx", template) == ("url",)
        with pytest.raises(TemplateError, match="a link would lead to"):
            filled(template, {"url": target})

    @pytest.mark.parametrize(
        ("written", "led"),
        [
            ("%7B%7B%20url%20%7D%7D", "https://a.example/b"),
            ("http://%7b%7burl%7d%7d/", "https://a.example/b"),
            ("https://c.example/%7B%7B n %7D%7D", "https://c.example/Ada%20L"),
        ],
    )
    def test_the_targets_of_links_are_filled_as_word_processors_write_them(
        self, written: str, led: str
    ) -> None:
        def build(document: Any) -> None:
            document.part.relate_to(written, RELATIONSHIP_TYPE.HYPERLINK, is_external=True)

        data = {"url": "https://a.example/b", "n": "Ada L"}
        content = ConfinedRenderer().render("docx", letter("x", build=build), data, "docx").content
        targets = [rel.target_ref for rel in Document(io.BytesIO(content)).part.rels.values()]
        assert led in targets

    def test_markdown_reads_no_file(self) -> None:
        content = ConfinedRenderer().render("markdown", b"![x](/etc/passwd)", {}, "docx").content
        assert b"root:" not in content
        assert texts(content) == ["x"]


class TestPdf:
    def test_a_pdf_names_the_engine_and_has_the_font(self, renderer: ConfinedRenderer) -> None:
        made = renderer.render("docx", letter("{{ a }}"), {"a": "Ł ź € “ ”"}, "pdf")
        assert made.engine == "typst"
        assert made.content.startswith(b"%PDF-")
        assert b"LibertinusSerif" in made.content

    def test_markdown_becomes_a_pdf(self, renderer: ConfinedRenderer) -> None:
        made = renderer.render("markdown", b"# Hi\n\n- {{ a }}\n\n---\n", {"a": 1}, "pdf")
        assert (made.engine, made.content[:5]) == ("typst", b"%PDF-")

    def test_the_page_the_header_and_the_title_are_the_documents(self, tmp_path: Path) -> None:
        def build(document: Any) -> None:
            section = document.sections[0]
            section.page_width, section.page_height = Cm(14.8), Cm(21)
            section.left_margin = Cm(3)
            section.header.paragraphs[0].text = 'Żółć "LLP"\tright'
            section.footer.paragraphs[0].text = "Foot"
            document.add_heading("The title", 0)

        source = typeset(letter(build=build), tmp_path)
        assert "width: 419.6pt, height: 595.3pt" in source
        assert "left: 85.0pt" in source
        assert 'text("Żółć \\"LLP\\""); h(1fr); text("right")' in source
        assert 'text("Foot")' in source
        assert "The title" in source

    def test_page_fields_count_and_keep_no_old_number(self, tmp_path: Path) -> None:
        xml = (
            '<w:r><w:fldChar w:fldCharType="begin"/></w:r><w:r><w:instrText> PAGE </w:instrText>'
            '</w:r><w:r><w:fldChar w:fldCharType="separate"/></w:r><w:r><w:t>77</w:t></w:r>'
            '<w:r><w:fldChar w:fldCharType="end"/></w:r>'
            '<w:fldSimple w:instr="NUMPAGES"><w:r><w:t>88</w:t></w:r></w:fldSimple>'
        )

        def build(document: Any) -> None:
            document.sections[0].footer.paragraphs[0].text = "Page "

        docx = letter("x", build=build)
        footer = {
            "word/footer1.xml": lambda part: part.replace(b"</w:p>", xml.encode() + b"</w:p>")
        }
        source = typeset(repacked(docx, footer), tmp_path)
        assert "counter(page).display()" in source
        assert "counter(page).final()" in source
        assert "77" not in source
        assert "88" not in source

    def test_only_tables_with_rules_get_rules(self, tmp_path: Path) -> None:
        def build(document: Any) -> None:
            document.add_table(2, 2).style = "Table Grid"
            document.add_paragraph("between")
            document.add_table(1, 2)

        source = typeset(letter(build=build), tmp_path)
        ruled, bare = source.split("between")
        assert "stroke: none" not in ruled
        assert "stroke: none" in bare

    def test_data_cannot_speak_to_the_typesetter(
        self, renderer: ConfinedRenderer, tmp_path: Path
    ) -> None:
        attack = '#read("/etc/passwd") $#x$ #import "@preview/a:1.0.0": * `#x` \\#read("main.typ")'

        def build(document: Any) -> None:
            document.sections[0].header.paragraphs[0].text = '"); #read("/etc/passwd")\\'
            document.core_properties.title = attack

        docx = renderer.render(
            "docx", letter("{{ a }}", build=build), {"a": attack}, "docx"
        ).content
        source = typeset(docx, tmp_path)
        body = source.partition("#show heading")[2]
        assert re.findall(r"(?<!\\)#(?:read|import)", body) == []
        assert '\\"); #read(\\"/etc/passwd\\")\\\\")' in source
        made = renderer.render("docx", letter("{{ a }}", build=build), {"a": attack}, "pdf")
        assert made.engine == "typst"
        assert b"root:" not in made.content

    def test_a_picture_that_cannot_be_shown_is_named_and_stops_no_document_that_may_lose_it(
        self, renderer: ConfinedRenderer, tmp_path: Path
    ) -> None:
        rows = b"".join(b"\0" + b"\x7f" * 4 for _ in range(4))
        picture = tmp_path / "a.png"
        picture.write_bytes(png(4, rows))

        def build(document: Any) -> None:
            document.add_picture(str(picture))
            document.sections[0].header.paragraphs[0].add_run().add_picture(str(picture), Cm(2))

        docx = letter("x", build=build)
        assert renderer.render("docx", docx, {}, "pdf").engine == "typst"
        metafile = repacked(
            docx,
            {
                name: lambda part: part.replace(b"image1.png", b"image1.emf")
                for name in ("word/_rels/document.xml.rels", "word/_rels/header1.xml.rels")
            }
            | {
                "[Content_Types].xml": lambda part: part.replace(
                    b'Extension="png" ContentType="image/png"',
                    b'Extension="emf" ContentType="image/x-emf"',
                )
            },
            {"word/media/image1.emf": b"no picture"},
            without="word/media/image1.png",
        )
        with pytest.raises(StepError, match="would lose pictures of the kind emf"):
            renderer.render("docx", metafile, {}, "pdf")
        made = renderer.render("docx", metafile, {}, "pdf", allow_loss=True)
        assert (made.engine, made.losses) == ("typst", ("pictures of the kind emf",))


def png(width: int, rows: bytes) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        check = zlib.crc32(kind + data).to_bytes(4, "big")
        return len(data).to_bytes(4, "big") + kind + data + check

    size = width.to_bytes(4, "big")
    head = size + size + bytes([8, 0, 0, 0, 0])
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


class TestLibreOffice:
    @staticmethod
    def install(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
        program = folder / "soffice"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", f"{folder}{os.pathsep}/usr/bin{os.pathsep}/bin")

    @pytest.mark.skipif(soffice.find() is None, reason="LibreOffice is not installed")
    def test_the_real_one_works_within_its_walls_two_at_a_time(self) -> None:
        def make(name: str) -> bytes:
            made = ConfinedRenderer().render("docx", letter("Dear {{ a }} 漢"), {"a": name}, "pdf")
            assert (made.engine, made.losses) == ("libreoffice", ())
            return made.content

        with ThreadPoolExecutor(2) as threads:
            contents = list(threads.map(make, ["Ada", "Łucja"]))
        for content, name in zip(contents, ["Ada", "Łucja"], strict=True):
            document = pypdfium2.PdfDocument(content)
            text = document[0].get_textpage()
            assert text.get_text_range().strip() == f"Dear {name} 漢"
            text.close()
            document.close()

    @pytest.mark.skipif(soffice.find() is None, reason="LibreOffice is not installed")
    @pytest.mark.parametrize(
        ("written", "drawn"),
        [
            ('<w:bdo w:val="rtl"><w:r><w:t>{{ a }} d</w:t></w:r></w:bdo>', "d cba"),
            ('<w:bdo w:val="rtl"><w:r><w:t>ab</w:t></w:r><w:r><w:t>cd</w:t></w:r></w:bdo>', "dcba"),
            ('<w:bdo w:val="ltr"><w:r><w:t>abc!</w:t></w:r></w:bdo>', "abc!"),
            ('<w:dir w:val="rtl"><w:r><w:t>abc!</w:t></w:r></w:dir>', "!abc"),
        ],
    )
    def test_text_runs_in_the_direction_that_it_is_given(self, written: str, drawn: str) -> None:
        def build(document: Any) -> None:
            document.element.body.insert(0, parse_xml(f"<w:p {nsdecls('w')}>{written}</w:p>"))

        made = ConfinedRenderer().render("docx", letter("x", build=build), {"a": "abc"}, "pdf")
        assert (made.engine, made.losses) == ("libreoffice", ())
        document = pypdfium2.PdfDocument(made.content)
        text = document[0].get_textpage()
        places = [
            (round(text.get_charbox(index)[0]), text.get_text_range(index, 1))
            for index in range(text.get_text_range().index("\r"))
        ]
        text.close()
        document.close()
        assert "".join(letter for _, letter in sorted(places)) == drawn

    def test_it_makes_the_pdf_with_a_profile_of_its_own(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        script = (
            f'printf "%s\\n" "$@" >{tmp_path}/arguments; env >{tmp_path}/environment\n'
            'profile="${1#-env:UserInstallation=file://}"\n'
            f'cp "$profile/user/registrymodifications.xcu" {tmp_path}/profile\n'
            'while [ "$1" != --outdir ]; do shift; done\n'
            'printf "%%PDF-made by it" >"$2/document.pdf"'
        )
        self.install(tmp_path, script, monkeypatch)
        monkeypatch.setenv("AUTOMATIONS_ENCRYPTION_KEY", "very secret")
        made = ConfinedRenderer().render("docx", letter("x"), {}, "pdf")
        assert (made.engine, made.content) == ("libreoffice", b"%PDF-made by it")
        assert "--headless" in (tmp_path / "arguments").read_text()
        assert "DisableMacrosExecution" in (tmp_path / "profile").read_text()
        assert "very secret" not in (tmp_path / "environment").read_text()

    @pytest.mark.parametrize(
        ("script", "problem"),
        [("echo broken >&2; exit 77", r"failed \(77\): broken"), ("exit 0", "made no file")],
    )
    def test_one_that_fails_fails_the_document_and_nothing_less_stands_in(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, problem: str
    ) -> None:
        self.install(tmp_path, script, monkeypatch)
        with pytest.raises(StepError, match=problem):
            ConfinedRenderer().render("docx", letter("x"), {}, "pdf")

    def test_one_that_hangs_is_ended_with_all_that_it_started_in_the_steps_time(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sleeper = f"sleep 600 & echo $! >{tmp_path}/pid.part"
        self.install(
            tmp_path, f"{sleeper}; mv {tmp_path}/pid.part {tmp_path}/pid; wait", monkeypatch
        )
        # A busy machine may take longer until it has come to it.
        for seconds in (8, 60, 240):
            with pytest.raises(StepError, match=rf"more time than it may \({seconds} s\)") as error:
                ConfinedRenderer().render("docx", letter("x"), {}, "pdf", seconds=seconds)
            assert (error.value.kind, error.value.retryable) == ("timeout", True)
            if (tmp_path / "pid").exists():
                break
        pid = int((tmp_path / "pid").read_text())
        until("its end", lambda: _has_ended(pid))


def _has_ended(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def test_more_than_a_process_has_room_for_wait_in_their_own_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    turns = FairSemaphore(2, per_key=1)
    monkeypatch.setattr("automations.adapters.documents.renderer._children", turns)
    renderer = ConfinedRenderer()
    with turns.hold("a", time.monotonic() + 120):
        with pytest.raises(StepError, match=r"took more time than it may \(0.2 s\)") as error:
            renderer.render("markdown", b"x", {}, "docx", seconds=0.2, owner="a")
        assert (error.value.kind, error.value.retryable) == ("timeout", True)
        with pytest.raises(TemplateError):
            renderer.placeholders("markdown", b"{{ sum( }}", owner="b")
    with turns.hold("a", time.monotonic()) as came:
        assert came


class TestHostileTemplates:
    @pytest.mark.parametrize(
        "text", ["{{ ''.__class__ }}", "{{ submission.__init__ }}", "{{ range.__globals__ }}"]
    )
    def test_the_insides_of_python_are_refused_when_saved_and_when_filled(self, text: str) -> None:
        with pytest.raises(TemplateError, match="is not allowed"):
            ConfinedRenderer().placeholders("docx", letter(text))
        for template_format, template in (("docx", letter(text)), ("markdown", text.encode())):
            with pytest.raises(TemplateError, match="not there in the data"):
                filled(template, {"submission": {}}, template_format)

    @pytest.mark.parametrize("text", ["{{ ''['__class__'] }}", "{{ ''|attr('__class__') }}"])
    def test_no_other_way_leads_there(self, text: str) -> None:
        with pytest.raises(TemplateError, match="__class__"):
            filled(letter(text), {})

    @pytest.mark.parametrize(
        "text", ["{% include '/etc/passwd' %}", "{% import 'x' as y %}", "{% extends 'x' %}"]
    )
    def test_another_template_cannot_be_taken_in(self, text: str) -> None:
        with pytest.raises(TemplateError, match="cannot take in another"):
            ConfinedRenderer().placeholders("markdown", text.encode())

    def test_a_mistake_in_the_syntax_is_quoted(self) -> None:
        with pytest.raises(TemplateError, match=r"template syntax: .*near 'Total: \{\{ sum"):
            ConfinedRenderer().placeholders("docx", letter("Fine.", "Total: {{ sum( }}"))

    @pytest.mark.parametrize("template_format", ["docx", "markdown"])
    def test_a_loop_without_end_is_ended(self, template_format: str) -> None:
        loops = "{% for i in range(99999) %}" * 3 + "{% endfor %}" * 3
        template = letter(loops) if template_format == "docx" else loops.encode()
        endless = ConfinedRenderer(Limits(seconds=3_600, timeout=3_600))
        with pytest.raises(StepError, match="needs more work than templates may take") as error:
            endless.render(template_format, template, {}, "docx")
        assert error.value.retryable is False

    def test_what_computes_for_longer_than_it_may_is_ended(self) -> None:
        paragraphs = b"<w:p><w:r><w:t>y</w:t></w:r></w:p>" * 100_000
        end = b"<w:sectPr"
        long = repacked(letter("x"), {DOCUMENT: lambda xml: xml.replace(end, paragraphs + end, 1)})
        with pytest.raises(StepError, match="took more time than it may") as error:
            ConfinedRenderer(Limits(seconds=1)).render("docx", long, {"name": "Ada"}, "docx")
        assert (error.value.kind, error.value.retryable) == ("limit", False)

    def test_a_process_that_only_waits_is_ended_too(self) -> None:
        with pytest.raises(StepError, match="took more time"):
            ConfinedRenderer(Limits(timeout=0.05)).render("docx", letter("x"), {}, "docx")

    @pytest.mark.parametrize(
        ("text", "problem"),
        [
            ("{{ 'a' * 10**10 }}", "longer than"),
            ("{{ 'a'|center(10**10) }}", "a width must be"),
        ],
    )
    def test_a_memory_bomb_is_stopped(self, text: str, problem: str) -> None:
        with pytest.raises(StepError, match=problem):
            filled(text.encode(), {}, "markdown")

    def test_a_document_over_ten_megabytes_is_refused(self) -> None:
        noise = random.Random(1).randbytes(10_100_000)
        rels = "word/_rels/document.xml.rels"
        image = (
            b'<Relationship Id="rIdX" Type="http://schemas.openxmlformats.org/officeDocument/'
            b'2006/relationships/image" Target="media/a.jpeg"/></Relationships>'
        )
        docx = repacked(
            letter("x"),
            {rels: lambda part: part.replace(b"</Relationships>", image)},
            {"word/media/a.jpeg": noise},
        )
        with pytest.raises(StepError, match="10000000 at most") as error:
            ConfinedRenderer().render("docx", docx, {}, "docx")
        assert error.value.kind == "limit"


class TestHostilePackages:
    @staticmethod
    def refused(content: bytes) -> str:
        with pytest.raises(TemplateError) as error:
            ConfinedRenderer().placeholders("docx", content)
        return error.value.message

    @pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"PK" * 50, b"\0" * 99])
    def test_what_is_no_zip_is_refused(self, content: bytes) -> None:
        assert "not a sound DOCX" in self.refused(content)

    def test_a_zip_that_is_no_docx_is_refused(self) -> None:
        assert "word/document.xml is missing" in self.refused(
            repacked(letter("x"), without=DOCUMENT)
        )

    def test_a_damaged_docx_is_refused(self) -> None:
        content = bytearray(letter("x"))
        content[200:230] = bytes(30)
        assert "not a sound" in self.refused(bytes(content))

    def test_a_docx_whose_document_is_no_xml_is_refused(self) -> None:
        assert "is not XML" in self.refused(
            repacked(letter("x"), {DOCUMENT: lambda _: b"<w:document><unclosed>"})
        )

    def test_a_zip_bomb_is_refused_by_its_unpacked_size(self) -> None:
        bomb = repacked(letter("x"), added={"word/media/a.bin": bytes(60_000_000)})
        assert len(bomb) < 200_000
        assert "50000000 at most" in self.refused(bomb)

    def test_too_many_parts_are_refused(self) -> None:
        many = {f"word/media/{number}.bin": b"" for number in range(1_001)}
        assert "1000 at most" in self.refused(repacked(letter("x"), added=many))

    @pytest.mark.parametrize("name", ["../../etc/cron.d/x", "/etc/passwd", "word/../../x"])
    def test_a_part_outside_of_the_package_is_refused(self, name: str) -> None:
        assert "outside of the package" in self.refused(repacked(letter("x"), added={name: b""}))

    @pytest.mark.parametrize(
        "declaration",
        [
            b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>',
            b'<!DOCTYPE x SYSTEM "http://127.0.0.1/x.dtd">',
        ],
    )
    def test_external_entities_are_refused(self, declaration: bytes) -> None:
        def attacked(part: bytes) -> bytes:
            head, mark, rest = part.partition(b"?>")
            return head + mark + declaration + rest

        assert "document type" in self.refused(repacked(letter("x"), {DOCUMENT: attacked}))

    def test_an_entity_that_slips_through_is_not_resolved(self, tmp_path: Path) -> None:
        secret = tmp_path / "secret"
        secret.write_text("TOP SECRET")
        entity = f'<!DOCTYPE x [<!ENTITY e SYSTEM "{secret.as_uri()}">]>'.encode()

        def attacked(part: bytes) -> bytes:
            head, mark, rest = part.partition(b"?>")
            return head + mark + entity + rest.replace(b">x<", b">&e;<")

        docx = repacked(letter("x"), {DOCUMENT: attacked})
        try:
            content = ConfinedRenderer().render("docx", docx, {}, "docx").content
        except StepError:
            return
        assert all("SECRET" not in text for text in texts(content))

    @pytest.mark.parametrize("name", [DOCUMENT, "word/hidden.bin"])
    def test_another_encoding_or_name_cannot_hide_a_declaration(self, name: str) -> None:
        text = '<?xml version="1.0" encoding="UTF-16"?><!DOCTYPE a [<!ENTITY e "x">]><a>&e;</a>'
        docx = repacked(letter("x"), without=name, added={name: text.encode("utf-16")})
        assert "document type" in self.refused(docx)

    @pytest.mark.parametrize(
        ("kind", "mode", "message"),
        [
            ("image", ' TargetMode="External"', "links to content outside"),
            ("oleObject", "", "embedded program"),
            ("vbaProject", "", "embedded program"),
            ("aFChunk", "", "embedded program"),
        ],
    )
    def test_links_to_outside_and_programs_are_refused(
        self, kind: str, mode: str, message: str
    ) -> None:
        relation = (
            f'<Relationship Id="rIdX" Type="http://schemas.openxmlformats.org/officeDocument/2006/'
            f'relationships/{kind}" Target="http://127.0.0.1/x"{mode}/></Relationships>'
        )
        rels = {
            "word/_rels/document.xml.rels": lambda part: part.replace(
                b"</Relationships>", relation.encode()
            )
        }
        assert message in self.refused(repacked(letter("x"), rels))

    @pytest.mark.parametrize(
        "field",
        [
            '<w:r><w:fldChar w:fldCharType="begin"/></w:r><w:r><w:instrText>INCLUDE</w:instrText>'
            '</w:r><w:r><w:instrText>TEXT "/etc/passwd"</w:instrText></w:r>',
            '<w:r><w:instrText> include<![CDATA[Text]]> "/etc/passwd"</w:instrText></w:r>',
            '<w:fldSimple w:instr="&#73;NCLUDETEXT x"/>',
            '<w:r xmlns:v="http://schemas.openxmlformats.org/wordprocessingml/2006/main">'
            "<v:instrText>INCLUDETEXT x</v:instrText></w:r>",
        ],
    )
    def test_a_field_that_reads_a_file_is_refused_however_it_is_written(self, field: str) -> None:
        changed = {DOCUMENT: lambda part: part.replace(b"</w:p>", field.encode() + b"</w:p>", 1)}
        assert "INCLUDETEXT" in self.refused(repacked(letter("x"), changed))

    def test_a_field_that_only_speaks_of_a_link_is_welcome(self) -> None:
        field = (
            b"""<w:fldSimple w:instr='HYPERLINK "https://a.example" \\o "a link here"'/></w:p>"""
        )
        changed = {DOCUMENT: lambda part: part.replace(b"</w:p>", field, 1)}
        assert ConfinedRenderer().placeholders("docx", repacked(letter("x"), changed)) == ()

    def test_a_hyperlink_is_welcome(self) -> None:
        def build(document: Any) -> None:
            kind = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/hyperlink"
            document.part.relate_to("https://example.com/", kind, is_external=True)

        assert ConfinedRenderer().placeholders("docx", letter("{{ a }}", build=build)) == ("a",)

    def test_markdown_that_is_no_text_is_refused(self) -> None:
        with pytest.raises(TemplateError, match="not UTF-8"):
            ConfinedRenderer().placeholders("markdown", b"\xff\xfe\x00")


class TestShowing:
    def test_a_document_is_shown_as_it_is_and_no_template(self, renderer: ConfinedRenderer) -> None:
        made = renderer.pdf(letter("{{ 7 * 7 }} and {% for x in y %}"))
        assert made.content.startswith(b"%PDF-")
        assert made.engine == "typst"

    def test_what_a_pdf_loses_keeps_nobody_from_looking(self, renderer: ConfinedRenderer) -> None:
        made = renderer.pdf(letter("Dear \U000f0000"))
        assert any("without a font" in loss for loss in made.losses)

    def test_what_is_no_document_is_refused(self, renderer: ConfinedRenderer) -> None:
        with pytest.raises(TemplateError, match="is a PDF, no DOCX"):
            renderer.pdf(b"%PDF-1.4")
