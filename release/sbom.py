"""The software bill of materials: CycloneDX, made of the lock and of what its packages declare.

The same lock gives the same bytes: its serial number is of the lock's digest, and it has no time.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

from cyclonedx.model import (
    ExternalReference,
    ExternalReferenceType,
    HashAlgorithm,
    HashType,
    Property,
    XsUri,
)
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import DisjunctiveLicense, License, LicenseExpression
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.spdx import is_supported_id
from packageurl import PackageURL

from release.licences import expression
from release.lock import Locked, locked

NAME = "airflow-automations"


def sbom(lock: Path, version: str) -> str:
    """The bill of a version that runs on a lock, as JSON of CycloneDX 1.6."""
    product = Component(
        name=NAME,
        version=version,
        type=ComponentType.APPLICATION,
        bom_ref=NAME,
        licenses=[_licence("Apache-2.0")],
        purl=PackageURL("pypi", name=NAME, version=version),
    )
    parts = [_component(package) for package in locked(lock)]
    bill = Bom(
        components=parts,
        metadata=BomMetaData(component=product),
        serial_number=uuid5(NAMESPACE_URL, f"{version} {_digest(lock)}"),
    )
    bill.metadata.timestamp = None  # type: ignore[assignment]
    bill.register_dependency(product, parts)
    return JsonV1Dot6(bill).output_as_string(indent=1) + "\n"


def _component(package: Locked) -> Component:
    licence = expression(package.name)
    purl = PackageURL("pypi", name=package.name, version=package.version)
    files = ExternalReference(
        type=ExternalReferenceType.DISTRIBUTION,
        url=XsUri(f"https://pypi.org/project/{package.name}/{package.version}/#files"),
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=digest) for digest in package.hashes],
        comment="one of its files has one of these digests",
    )
    where = [] if package.marker is None else [Property(name="python:marker", value=package.marker)]
    return Component(
        name=package.name,
        version=package.version,
        type=ComponentType.LIBRARY,
        bom_ref=str(purl),
        purl=purl,
        licenses=[] if licence is None else [_licence(licence)],
        external_references=[files],
        properties=where,
    )


def _licence(licence: str) -> License:
    return (
        DisjunctiveLicense(id=licence) if is_supported_id(licence) else LicenseExpression(licence)
    )


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
