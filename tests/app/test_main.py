"""The console script: options, one-line refusals, no heavy import, nothing run from the folder."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ptacl_app.__main__ import GraphicsChoice, main
from ptacl_app.shell.settings import AppSettings, adapt_to_connection, load_settings
from ptacl_app.terminal.graphics import CHOICES
from ptacl_core.errors import ConfigError
from tests.app.conftest import plant_hostile_modules

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = "import sys; from ptacl_app.__main__ import main; sys.exit(main(sys.argv[1:]))"


def run(*arguments, cwd=None, environment=None):
    return subprocess.run(
        [sys.executable, "-P", "-c", SCRIPT, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), **(environment or {})},
        check=False,
    )


@pytest.mark.parametrize("kind", ["missing", "file", "folder", "torn"])
def test_a_path_that_is_no_cohort_gets_one_line_and_status_two(kind, tmp_path, capsys):
    path = tmp_path / "thing-4711"
    if kind == "file":
        path.write_text("x")
    elif kind == "folder":
        path.mkdir()
    elif kind == "torn":
        path.mkdir()
        (path / "cohort.toml").write_bytes(b"\xff\xfe not toml")
    assert main([str(path)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert "thing-4711" in err
    assert "expected" in err or "cannot be read" in err


def test_refusal_prints_no_escape_sequence(tmp_path, capsys):
    path = tmp_path / "a\x1b]0;title\x07b"
    assert main([str(path)]) == 2
    assert "\x1b" not in capsys.readouterr().err


def test_without_a_terminal_it_says_what_to_use(cohort_dir):
    answer = run(cohort_dir)
    assert answer.returncode == 2
    assert answer.stderr.count("\n") == 1
    assert "ptacl query" in answer.stderr


def test_version_and_help_import_nothing_heavy():
    code = (
        "import sys\n"
        "from ptacl_app.__main__ import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'textual', 'duckdb', 'numpy', 'pydantic'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    answer = subprocess.run(
        [sys.executable, "-P", "-c", code], capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert answer.returncode == 0, answer.stderr
    assert "Research use only" in answer.stdout


def test_app_never_imports_the_model_nor_what_is_slow():
    code = (
        "import sys, ptacl_app.app\n"
        "slow = {'torch', 'scipy', 'sklearn', 'pandas', 'neurokit2', 'pywt', 'pyarrow'}\n"
        "assert not slow & set(sys.modules), slow & set(sys.modules)\n"
    )
    answer = subprocess.run(
        [sys.executable, "-P", "-c", code], capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert answer.returncode == 0, answer.stderr


def test_hostile_files_in_the_folder_are_not_run(tmp_path):
    plant_hostile_modules(tmp_path)
    (tmp_path / "ptacl.toml").write_text("theme = 'x'\n")
    answer = run(tmp_path, cwd=tmp_path)
    assert answer.returncode == 2, answer.stderr
    assert not (tmp_path / "RAN").exists()


def test_options_are_those_of_the_manual(capsys):
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    for option in ("--patient", "--theme", "--fps", "--no-animation", "--privacy", "--version"):
        assert option in text
    assert "Show the same in a browser on this machine." in text
    assert main(["web", "--help"]) == 0
    text = capsys.readouterr().out
    for option in ("--host", "--port", "--i-have-a-proxy", "--public-url", "--privacy", "--theme"):
        assert option in text


def test_wrong_options_are_the_users_input(tmp_path, capsys):
    assert tuple(GraphicsChoice) == CHOICES
    wrong = (["--no-such-option"], ["--fps", "many"], ["--graphics", "crayon"],
             [str(tmp_path), "another"], ["web", "--port", "http"])  # fmt: skip
    for arguments in wrong:
        assert main(arguments) == 2, arguments
        assert capsys.readouterr().err
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("ptacl-app ")


def test_settings_file_is_strict_and_names_the_nearest_key(tmp_path):
    path = tmp_path / "config.toml"
    path.write_text('them = "nord"\n')
    with pytest.raises(ConfigError, match="theme"):
        load_settings(path)
    path.write_text("= broken")
    with pytest.raises(ConfigError, match="TOML"):
        load_settings(path)
    with pytest.raises(ConfigError, match="none"):
        load_settings(tmp_path / "absent.toml")
    path.write_text('theme = "ptacl-paper"\nfps = 12.5\n[keys]\nplay = "p"\n')
    settings = load_settings(path)
    assert (settings.theme, settings.fps, settings.keys) == ("ptacl-paper", 12.5, {"play": "p"})


def test_remote_connections_are_gentle_unless_told_otherwise():
    remote = {"SSH_CONNECTION": "1.2.3.4 5 6.7.8.9 22"}
    settings = adapt_to_connection(AppSettings(), environment=remote)
    assert (settings.fps, settings.num_grey_levels) == (10.0, 32)
    assert adapt_to_connection(AppSettings(), fps=25.0, environment=remote).fps == 25.0
    assert adapt_to_connection(AppSettings(), environment={}).fps == 25.0
    with pytest.raises(ConfigError, match="fps"):
        adapt_to_connection(AppSettings(), fps=0.0, environment={})


def test_a_wrong_theme_is_refused_in_words(cohort_dir, capsys, monkeypatch):
    monkeypatch.setenv("TEXTUAL_DRIVER", "x:y")
    assert main([str(cohort_dir), "--theme", "no-such-theme"]) == 2
    assert "ptacl-paper" in capsys.readouterr().err
