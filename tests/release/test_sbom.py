"""The bill of materials is made of the lock, whole, and the same each time."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion

from automations.settings import ROOT
from release.lock import locked
from release.sbom import sbom

LOCK = ROOT / "requirements.txt"


def test_it_names_every_locked_package_with_its_files_digests() -> None:
    bill = json.loads(sbom(LOCK, "1.2.3"))
    told = {
        (component["name"], component["version"]): {
            each["content"] for each in component["externalReferences"][0]["hashes"]
        }
        for component in bill["components"]
    }
    assert told == {
        (package.name, package.version): set(package.hashes) for package in locked(LOCK)
    }
    assert bill["metadata"]["component"]["version"] == "1.2.3"
    # Others' platforms are in the lock, too, and their packages are not here to be asked.
    unknown = [component["name"] for component in bill["components"] if "licenses" not in component]
    assert set(unknown) <= {package.name for package in locked(LOCK) if not package.is_here}


def test_the_same_lock_gives_the_same_bytes() -> None:
    assert sbom(LOCK, "1.2.3") == sbom(LOCK, "1.2.3")


@pytest.mark.slow
def test_it_keeps_to_the_schema(tmp_path: Path) -> None:
    from cyclonedx.validation.json import JsonStrictValidator  # compiles grammars of URLs

    some = tmp_path / "lock.txt"
    # With a marker, an expression and a plain identifier: URLs are checked slowly.
    wanted = ("colorama", "packaging", "psycopg2-binary")
    lines = LOCK.read_text().replace("\\\n", " ").splitlines()
    some.write_text("\n".join(line for line in lines if line.startswith(wanted)))
    bill = sbom(some, "1.2.3")
    assert len(json.loads(bill)["components"]) == len(wanted)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(bill) is None
