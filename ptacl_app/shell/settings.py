"""What a person may set for the app: `config.toml` where the platform keeps such files."""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import platformdirs
from pydantic import Field

from ptacl_app.shell.themes import DEFAULT_THEME
from ptacl_core.cohort.erasure.app_state import APP_NAME, get_state_dir
from ptacl_core.config.model import Settings
from ptacl_core.errors import ConfigError

__all__ = ["AppSettings", "get_config_path", "get_state_dir", "load_settings"]

REMOTE_FPS = 10.0
REMOTE_GREY_LEVELS = 32


class AppSettings(Settings):
    """Settings of the terminal app; the command line's options go before them."""

    theme: str = DEFAULT_THEME
    """`ptacl-dark`, `ptacl-paper`, `ptacl-contrast`, or one of Textual's."""
    fps: float = Field(default=25.0, ge=1, le=60)
    """Frames drawn per second at most while the heart runs."""
    use_animation: bool = True
    """False: nothing moves by itself, playback starts only when asked for."""
    use_autoplay: bool = True
    """Start the heart when a patient is opened."""
    use_privacy: bool = False
    """Show random names in the place of patients' ids."""
    remember: bool = True
    """Go on at the next start where the last one ended (screen, patient, filter, theme)."""
    num_grey_levels: int = Field(default=64, ge=2, le=256)
    """Grey levels of the cine; fewer send less over a slow line."""
    graphics: Literal["auto", "kitty", "sixel", "iterm", "cells"] = "auto"
    """How pictures are shown: by the environment, by one of the protocols, or as characters."""
    paper: Literal["auto", "pink", "dark", "contrast"] = "auto"
    """The ECG's paper, where there are pixels; `auto`: what goes with the theme."""
    keys: dict[str, str] = Field(default_factory=dict)
    """Other keys for actions, by the action's name: `play = "p,space"`."""


def get_config_path() -> Path:
    """Where `config.toml` is looked for."""
    return Path(platformdirs.user_config_dir(APP_NAME)) / "config.toml"


def load_settings(path: Path | None = None) -> AppSettings:
    """Read the settings; a missing default file means the defaults.

    Raises ConfigError when the file named is missing, is not TOML, or holds unknown keys.
    """
    source = path or get_config_path()
    try:
        values = tomllib.loads(source.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if path is None:
            return AppSettings()
        raise ConfigError(f"{source}: expected a TOML file, found none") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{source}: cannot be read as TOML ({error})") from None
    return AppSettings.from_mapping(values, source=str(source))


def adapt_to_connection(
    settings: AppSettings,
    *,
    theme: str | None = None,
    fps: float | None = None,
    is_still: bool = False,
    is_private: bool = False,
    graphics: str | None = None,
    environment: Mapping[str, str] | None = None,
) -> AppSettings:
    """The settings with the command line's options, and gentler over a remote connection.

    Over SSH or RDP the heart runs at 10 frames a second with 32 grey levels unless `fps` says
    otherwise. Raises ConfigError for a rate out of range.
    """
    given = os.environ if environment is None else environment
    changes: dict[str, object] = {}
    is_remote = any(given.get(name) for name in ("SSH_CONNECTION", "SSH_TTY")) or given.get(
        "SESSIONNAME", ""
    ).upper().startswith("RDP")
    if is_remote:
        changes |= {"fps": min(settings.fps, REMOTE_FPS), "num_grey_levels": REMOTE_GREY_LEVELS}
    if fps is not None:
        changes["fps"] = fps
    if theme is not None:
        changes["theme"] = theme
    if is_still:
        changes |= {"use_animation": False, "use_autoplay": False}
    if is_private:
        changes["use_privacy"] = True
    if graphics is not None:
        changes["graphics"] = graphics
    return AppSettings.from_mapping(
        {**settings.model_dump(mode="json"), **changes}, source="options of ptacl-app"
    )
