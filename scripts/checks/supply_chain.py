#!/usr/bin/env python3
"""What PTACL runs on: licences, a lock with hashes, a bill of materials.

    python scripts/checks/supply_chain.py check                     # part of scripts/check
    python scripts/checks/supply_chain.py lock requirements.lock    # after constraints.txt changed
    python scripts/checks/supply_chain.py security SECURITY.md      # its table, after the lock
    python scripts/checks/supply_chain.py sbom OUT.json             # CycloneDX 1.5, of a release

`check` refuses a licence that nobody has looked at, a lock that does not agree with
constraints.txt, and a table in SECURITY.md of other versions. The lock names every file that an
installation with the browser may take, on every platform. PTACL itself and torch stand apart: pip
refuses an editable or local package beside hashes, and torch has a build for each machine.
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import Distribution, distributions
from pathlib import Path

from ptacl_core import __version__

ROOT = Path(__file__).resolve().parents[2]
CONSTRAINTS, LOCK, SECURITY = (
    ROOT / name for name in ("constraints.txt", "requirements.lock", "SECURITY.md")
)
EXTRAS = ("web", "index")
BEGIN, END = "<!-- made by scripts/checks/supply_chain.py -->", "<!-- end -->"
HEAD = """\
# Made by scripts/checks/supply_chain.py: every file that an installation may take, by hash.
# 1. pip install --require-hashes --no-deps -r requirements.lock
#    (hnswlib is compiled: without a compiler leave its entry out, and search stays exact)
# 2. apart, since they have no hash that holds everywhere: torch, the build for your machine, and
#    PTACL's own wheel with --no-deps.
"""
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
        f"snakemake-interface-{name}": "MIT, in the wheel's licence file"
        for name in (
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
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("what", choices=("check", "lock", "security", "sbom"))
    parser.add_argument("out", nargs="?", type=Path)
    options = parser.parse_args()
    if options.what == "check":
        faults = [*check_licences(), *check_lock(), *check_security()]
        for fault in faults:
            print(fault)
        print(f"supply chain: {len(read_lock())} packages locked, {len(faults)} faults")
        return 1 if faults else 0
    text = {"lock": build_lock, "security": build_security, "sbom": build_sbom}[options.what]()
    if options.out is None:
        sys.stdout.write(text)
    else:
        options.out.write_text(text, encoding="utf-8")
    return 0


def check_licences() -> list[str]:
    """Packages installed here under terms that nobody has looked at."""
    faults = []
    installed = sorted(distributions(), key=name_of)
    for distribution in installed:
        name, licence = name_of(distribution), describe_licence(distribution)
        if name in OPTIONAL or name in LOOKED_AT or name == "ptacl":
            continue
        if STRONG.search(licence) and not ALLOWED.search(licence):
            faults.append(f"licence not looked at: {name}: {licence[:80]} (strong copyleft)")
        elif not ALLOWED.search(licence):
            faults.append(f"licence not looked at: {name}: {licence[:80] or 'names none'}")
    return faults


def name_of(distribution: Distribution) -> str:
    return re.sub(r"[-_.]+", "-", str(distribution.metadata["Name"])).lower()


def describe_licence(distribution: Distribution) -> str:
    metadata = distribution.metadata
    classifiers = [
        classifier.rpartition("::")[2].strip()
        for classifier in metadata.get_all("Classifier") or ()
        if classifier.startswith("License")
    ]
    texts = [
        *metadata.get_all("License-Expression", []),
        *classifiers,
        *metadata.get_all("License", []),
    ]
    return "; ".join(" ".join(text.split())[:200] for text in texts if text)


def build_lock() -> str:
    """Every file that an installation may take, of every platform, with its hash."""
    uv = shutil.which("uv")
    if uv is None:
        raise SystemExit("making the lock needs uv on PATH: python -m pip install uv")
    extras = [word for extra in EXTRAS for word in ("--extra", extra)]
    made = subprocess.run(
        [
            uv, "pip", "compile", "pyproject.toml", *extras, "--constraint", "constraints.txt",
            "--generate-hashes", "--universal", "--python-version", "3.11", "--no-header",
            "--no-annotate", "--quiet",
        ],
        check=True, capture_output=True, text=True, cwd=ROOT,
    )  # fmt: skip
    entries = re.split(r"\n(?=\S)", made.stdout.strip())
    return HEAD + "\n".join(entry for entry in entries if not is_apart(entry)) + "\n"


def is_apart(entry: str) -> bool:
    name = re.match(r"[\w.-]+", entry)
    return (
        name is None or name[0] in APART or re.match(r"nvidia-|cuda-|triton", name[0]) is not None
    )


def read_lock() -> dict[str, tuple[str, list[str]]]:
    """Version and SHA-256 of every package of the lock."""
    text = LOCK.read_text(encoding="utf-8")
    return {
        entry[1]: (entry[2], re.findall(r"--hash=sha256:([0-9a-f]{64})", entry[3]))
        for entry in re.finditer(r"^([\w.-]+)==([^\s;]+)(.*(?:\n .*)*)", text, re.MULTILINE)
    }


def check_lock() -> list[str]:
    """Where the lock, constraints.txt and what PTACL asks for do not agree."""
    locked = read_lock()
    pinned = dict(
        line.split("==") for line in CONSTRAINTS.read_text(encoding="utf-8").splitlines()
        if "==" in line
    )  # fmt: skip
    faults = [f"{name}: no hash in the lock" for name, (_, hashes) in locked.items() if not hashes]
    faults += [
        f"{name}: {version} in the lock, {pinned[name]} in constraints.txt"
        for name, (version, _) in locked.items()
        if pinned.get(name, version) != version
    ]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"]]
    for extra in EXTRAS:
        wanted += project["optional-dependencies"][extra]
    names = {re.split(r"[^\w.-]", requirement)[0].lower() for requirement in wanted}
    faults += [f"{name}: not in the lock" for name in sorted(names - locked.keys() - APART)]
    return faults


def build_sbom() -> str:
    """CycloneDX of what the lock names; licences as the packages that are installed state them."""
    installed = {name_of(distribution): distribution for distribution in distributions()}
    components = []
    for name, (version, hashes) in sorted(read_lock().items()):
        distribution = installed.get(name)
        licence = describe_licence(distribution)[:120] if distribution is not None else ""
        purl = f"pkg:pypi/{name}@{version}"
        component = {
            "type": "library",
            "bom-ref": purl,
            "name": name,
            "version": version,
            "purl": purl,
            "licenses": [{"license": {"name": licence or "not stated"}}],
        }
        if len(hashes) == 1:  # one file for every platform
            component["hashes"] = [{"alg": "SHA-256", "content": hashes[0]}]
        components.append(component)
    product = f"pkg:pypi/ptacl@{__version__}"
    main = {"type": "application", "bom-ref": product, "name": "ptacl", "version": __version__}
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": {**main, "licenses": [{"license": {"id": "MIT"}}]}},
        "components": components,
        "dependencies": [
            {"ref": product, "dependsOn": [component["bom-ref"] for component in components]}
        ],
    }
    return json.dumps(document, indent=1) + "\n"


def build_security() -> str:
    """SECURITY.md with its table of what PTACL asks for made anew."""
    text = SECURITY.read_text(encoding="utf-8")
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    installed = {name_of(distribution): distribution for distribution in distributions()}
    locked = read_lock()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = sorted(
        {re.split(r"[^\w.-]", requirement)[0].lower() for requirement in project["dependencies"]}
    )
    rows = [
        f"| {name} | {locked[name][0] if name in locked else 'the build for your machine'} "
        f"| {short_licence(installed[name])} |"
        for name in names
    ]
    table = "\n".join(["| package | version | licence |", "|---|---|---|", *rows])
    count = f"{len(locked)} packages with hashes stand in the lock, of which PTACL asks for these:"
    return f"{before}{BEGIN}\n{count}\n\n{table}\n{END}{after}"


def short_licence(distribution: Distribution) -> str:
    return LOOKED_AT.get(name_of(distribution)) or describe_licence(distribution).split(";")[0][:60]


def check_security() -> list[str]:
    is_current = build_security() == SECURITY.read_text(encoding="utf-8")
    again = "its table is not current: python scripts/checks/supply_chain.py security SECURITY.md"
    return [] if is_current else [f"SECURITY.md: {again}"]


if __name__ == "__main__":
    sys.exit(main())
