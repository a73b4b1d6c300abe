#!/usr/bin/env python3
"""What PTACL runs on: licences, a lock with hashes, a bill of materials.

    python scripts/checks/supply_chain.py licences            # refuses what no one has looked at
    python scripts/checks/supply_chain.py lock OUT.txt        # pip install --require-hashes -r
    python scripts/checks/supply_chain.py sbom OUT.json       # CycloneDX 1.5

The lock names the files that pip chooses on this machine and Python, of everything in
constraints.txt that an installation with the browser needs. PTACL itself and a local build of
torch have no hash in an index: pip refuses an editable or local package beside hashes, so they
are installed apart, as the head of the lock says.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
APART = {"ptacl", "torch"}
"""Installed apart: the product's own wheel, and torch, of which there are many local builds."""
ALLOWED = re.compile(
    r"\b(?:MIT|BSD|Apache|PSF|Python Software Foundation|ISC|MPL|Mozilla|HPND|PIL|Zlib|Unlicense"
    r"|Public Domain|CC0|0BSD|BSL|Boost|CNRI|Artistic|PostgreSQL|LGPL|NVIDIA|Matplotlib|Tcl)\b",
    re.IGNORECASE,
)
STRONG = re.compile(r"(?<!L)\bA?GPL|GNU (?:Affero )?General Public", re.IGNORECASE)
OPTIONAL = {"pylibjpeg-libjpeg": "GPL v3, extra `compressed` only, never installed by default"}
LOOKED_AT = {
    "autocommand": "LGPL v3",
    "certifi": "MPL 2.0",
    "conda-inject": "MIT, in the wheel's licence file",
    "hnswlib": "Apache 2.0, in its repository; the package does not say",
    "sierraecg": "MIT, in its repository; the wheel does not say",
    **{
        f"snakemake-interface-{each}": "MIT, in the wheel's licence file"
        for each in (
            "common",
            "logger-plugins",
            "report-plugins",
            "scheduler-plugins",
            "storage-plugins",
        )
    },
}
"""Packages whose metadata do not name a licence in words that are known, looked at by hand."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("what", choices=("licences", "lock", "sbom"))
    parser.add_argument("out", nargs="?", type=Path)
    options = parser.parse_args()
    if options.what == "licences":
        return check_licences()
    text = build_lock() if options.what == "lock" else build_sbom()
    if options.out is None:
        sys.stdout.write(text)
    else:
        options.out.write_text(text, encoding="utf-8")
    return 0


def check_licences() -> int:
    faults = []
    found = sorted(distributions(), key=name_of)
    for each in found:
        name, licence = name_of(each), describe_licence(each)
        if name in OPTIONAL or name in LOOKED_AT or name == "ptacl":
            continue
        if STRONG.search(licence) and not ALLOWED.search(licence):
            faults.append(f"{name}: {licence[:80]} (strong copyleft)")
        elif not ALLOWED.search(licence):
            faults.append(f"{name}: {licence[:80] or 'names no licence'}")
    for fault in faults:
        print(f"licence not looked at: {fault}")
    print(f"licences: {len(found)} packages, {len(faults)} not looked at")
    return 1 if faults else 0


def name_of(distribution: Distribution) -> str:
    return re.sub(r"[-_.]+", "-", str(distribution.metadata["Name"])).lower()


def describe_licence(distribution: Distribution) -> str:
    metadata = distribution.metadata
    classifiers = [
        each.rpartition("::")[2].strip()
        for each in metadata.get_all("Classifier") or ()
        if each.startswith("License")
    ]
    texts = [metadata.get("License-Expression"), *classifiers, metadata.get("License")]
    return "; ".join(" ".join(each.split())[:200] for each in texts if each)


def resolve() -> list[dict[str, Any]]:
    """What pip would install, with the hash of each file."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        subprocess.run(
            [
                sys.executable, "-m", "pip", "install", "--quiet", "--dry-run",
                "--ignore-installed", "--disable-pip-version-check", "--report", str(report),
                "--constraint", str(ROOT / "constraints.txt"), f"{ROOT}[hdf5,web]",
            ],
            check=True,
        )  # fmt: skip
        return json.loads(report.read_text())["install"]


def build_lock() -> str:
    lines = [
        "# Made by scripts/checks/supply_chain.py for "
        f"Python {sys.version_info.major}.{sys.version_info.minor} on {sys.platform}.",
        "# pip install --require-hashes --no-deps -r THIS, then apart, since they have no hash in",
        "# an index: torch (the build for your machine) and the wheel of PTACL with --no-deps.",
    ]
    for each in sorted(resolve(), key=lambda each: each["metadata"]["name"].lower()):
        name = re.sub(r"[-_.]+", "-", each["metadata"]["name"]).lower()
        if name in APART or re.match(r"nvidia-|triton$", name):
            continue
        digest = each["download_info"]["archive_info"]["hashes"]["sha256"]
        lines.append(f"{name}=={each['metadata']['version']} --hash=sha256:{digest}")
    return "\n".join(lines) + "\n"


def build_sbom() -> str:
    """CycloneDX of what is installed here."""
    components = [
        {
            "type": "library",
            "name": name_of(each),
            "version": each.version,
            "purl": f"pkg:pypi/{name_of(each)}@{each.version}",
            "licenses": [{"license": {"name": describe_licence(each)[:120] or "not stated"}}],
        }
        for each in sorted(distributions(), key=name_of)
    ]
    document = {"bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1}
    return json.dumps({**document, "components": components}, indent=1) + "\n"


if __name__ == "__main__":
    sys.exit(main())
