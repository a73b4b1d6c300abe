"""The menu entry: what it starts is quoted as the specification wants, and it goes as it came."""

import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from importlib.resources import files

import pytest

from ptacl_app.__main__ import main
from ptacl_app.desktop.install import PLACES, quote_word, write_entry
from ptacl_core.errors import ConfigError

NAMES = "{http://www.freedesktop.org/standards/shared-mime-info}"


def read_share(name):
    return files("ptacl_app.desktop").joinpath("share", name).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "word",
    [
        "/usr/bin/ptacl-app",
        "/home/Ann Other/bin/x",
        'a"b',
        "a$b`c",
        "a\\b",
        "100%f",
        "Jürgen's",
    ],
)
def test_a_word_of_exec_comes_back_as_it_was(word):
    """Value escapes, then the quoting of a double-quoted shell word, then field codes."""
    value = quote_word(word).replace("\\\\", "\0").replace("\\t", "\t").replace("\0", "\\")
    read = subprocess.run(["sh", "-c", f"printf %s {value}"], capture_output=True, check=True)
    assert read.stdout.decode().replace("%%", "%") == word


def test_a_line_break_is_refused():
    with pytest.raises(ConfigError, match="line break"):
        quote_word("a\nExec=evil")


def test_the_entry_starts_this_program_with_the_files_given():
    entry = write_entry(read_share("ptacl.desktop"), ("/opt/my tools/ptacl-app",))
    assert 'Exec="/opt/my tools/ptacl-app" desktop %F\n' in entry
    assert "TryExec=/opt/my tools/ptacl-app\n" in entry


def test_every_type_of_the_entry_is_known_or_declared():
    declared = {
        kind.attrib["type"]
        for kind in ElementTree.fromstring(read_share("ptacl.xml")).iter(f"{NAMES}mime-type")
    }
    (line,) = [
        line for line in read_share("ptacl.desktop").splitlines() if line.startswith("MimeType=")
    ]
    wanted = set(line.removeprefix("MimeType=").strip(";").split(";"))
    assert wanted == declared | {"inode/directory", "application/dicom"}


@pytest.mark.skipif(sys.platform != "linux", reason="Freedesktop's places")
def test_what_is_installed_is_removed_again(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "my data"))
    monkeypatch.setenv("PATH", str(tmp_path))  # a machine without a desktop's programs
    assert main(["desktop", "--install"]) == 0
    places = sorted(str(tmp_path / "my data" / place) for place in PLACES.values())
    assert sorted(capsys.readouterr().out.split("\n")[:-1]) == places
    assert main(["desktop", "--uninstall"]) == 0
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
