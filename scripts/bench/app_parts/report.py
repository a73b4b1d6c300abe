"""What is promised of the app, and the report of what was measured."""

import os
import time

GOALS: dict[str, tuple[str, float]] = {
    "ecg_12x5000_redraw_ms_cpu": ("12 leads × 5000 samples, redrawn as strips, ms CPU", 10),
    "cine_frame_first_loop_ms_cpu": ("a cine frame of 42×21 cells, first loop, ms CPU", 6),
    "cine_frame_later_loops_ms_cpu": ("the same frame, later loops, ms CPU", 6),
    "ecg_pixel_page_ms_cpu": ("an ECG page of 927×432 pixels, drawn, ms CPU", 20),
    "cine_pixel_switch_ms_cpu": ("a cine frame in pixels after its upload, ms CPU", 1),
    "play_146x40_core_share_at_25_fps": (
        "patient screen, 146×40, 25 fps, share of a core (CPU of painted ticks)", 0.40,
    ),
    "play_80x24_core_share_at_25_fps": ("the same at 80×24", 0.40),
    "play_146x40_core_share": (
        "patient screen playing in a pseudo-terminal, 146×40, share of a core", 0.40,
    ),
    "play_80x24_core_share": ("the same at 80×24", 0.40),
    "play_kitty_core_share": ("playing in pixels by kitty, 146×40, share of a core", 0.30),
    "play_sixel_core_share": ("the same by sixel", 0.30),
    "play_iterm_core_share": ("the same by iTerm2's images", 0.30),
    "play_kitty_key_to_paint_ms": ("a key to its paint, playing by kitty, 146×40, ms wall", 50),
    "play_sixel_key_to_paint_ms": ("the same by sixel", 50),
    "play_iterm_key_to_paint_ms": ("the same by iTerm2's images", 50),
    "slow_line_kitty_page_ms": (
        "a page by kitty over 2 Mbit/s, key to paint, ms wall", 1000,
    ),
    "slow_line_sixel_page_ms": ("the same by sixel", 1000),
    "slow_line_iterm_page_ms": ("the same by iTerm2's images", 1000),
    "play_146x40_key_to_paint_ms": ("a key to its paint as the cine plays, 146×40, ms wall", 100),
    "play_80x24_key_to_paint_ms": ("the same at 80×24", 100),
    "slow_line_key_to_paint_ms": ("a key to its paint over 2 Mbit/s, 146×40, ms wall", 600),
    "dropped_keys": ("keys lost of 93 pressed at once while the cine plays", 0),
    "start_s_wall": ("start to the first rows, 100 000 patients, s wall", 1.5),
    "start_s_cpu": ("the same, s CPU", 1.5),
    "table_page_ms_cpu": ("a page of 200 rows of the table, 100 000 patients, ms CPU", 130),
}  # fmt: skip
"""What is promised: in words, and at most how much."""


def judge(figures: dict[str, float]) -> list[tuple[str, float, float, bool]]:
    """(what, figure, goal, held) for each promise that was measured."""
    return [
        (words, figures[name], goal, figures[name] <= goal)
        for name, (words, goal) in GOALS.items()
        if name in figures
    ]


def print_verdicts(figures: dict[str, float]) -> None:
    """One line for each promise."""
    print()
    for words, value, goal, is_held in judge(figures):
        print(f"{'held' if is_held else 'MISSED':7} {value:9.3f}  of {goal:6g}  {words}")


def write_report(figures: dict[str, float], loads: list[float]) -> str:
    """The figures with date, machine and versions, as Markdown."""
    import platform
    from importlib.metadata import version

    libraries = ", ".join(f"{name} {version(name)}" for name in ("textual", "numpy", "duckdb"))
    missed = [words for words, _, _, is_held in judge(figures) if not is_held]
    lines = [
        "# The terminal app",
        "",
        f"{time.strftime('%Y-%m-%d')}, {platform.machine()}, {os.cpu_count()} shared CPUs, load "
        f"average {min(loads):.1f}–{max(loads):.1f} while it was measured,",
        f"Python {platform.python_version()}, {libraries}. A simulated cohort;",
        "`python scripts/bench/app.py COHORT`. Medians; CPU is that of the app's whole process.",
        "",
        "| what | figure | goal | held |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {words} | {value:.3g} | {goal:g} | {'yes' if is_held else '**no**'} |"
        for words, value, goal, is_held in judge(figures)
    ]
    others = {name: value for name, value in figures.items() if name not in GOALS}
    lines += ["", "Also measured: " + ", ".join(f"{k} {v:.4g}" for k, v in others.items()) + "."]
    lines += ["", "Missed: " + ("; ".join(missed) if missed else "nothing") + "."]
    return "\n".join(lines) + "\n"
