"""The app's own themes and the colours that ECG, cine and intervals are drawn in.

Range and step colours keep apart for the common kinds of colour blindness (blue against
orange, never red against green), and a sign always says the same as the colour.
"""

from textual.theme import Theme

DEFAULT_THEME = "ptacl-dark"
CONTRAST_THEME = "ptacl-contrast"

_DARK = {
    "ecg-even": "#0b1512",
    "ecg-odd": "#11201b",
    "ecg-margin": "#0a0f0e",
    "ecg-trace": "#c6f7d6",
    "ecg-label": "#7fc8a0",
    "ecg-clipped": "#f5a524",
    "ecg-pulse": "#5f9f80",
    "ecg-ghost": "#c678dd",
    "ecg-cursor": "#8a5a0a",
    "ecg-beat": "#17332a",
    "ecg-caliper": "#2f6f9f",
    "salient-up": "#e0486a",
    "salient-down": "#3d8bff",
    "step-quiet": "#28323d",
    "step-quiet-ink": "#aab6c2",
    "step-current": "#f5a524",
    "step-current-ink": "#16120a",
    "interval-ground": "#1b222b",
    "interval-reference": "#1f3a4d",
    "interval-ink": "#d7e9f5",
    "interval-outside": "#ffb04a",
    "measured-ink": "#ffffff",
    "quiet-ink": "#8d99a6",
    "warning-ink": "#ffb04a",
    "research-ground": "#5c3d00",
    "research-ink": "#ffe2a8",
}

_PAPER = {
    "ecg-even": "#fff5f3",
    "ecg-odd": "#fde2dd",
    "ecg-margin": "#fffdfc",
    "ecg-trace": "#141414",
    "ecg-label": "#8a2b22",
    "ecg-clipped": "#b34700",
    "ecg-pulse": "#8a5a55",
    "ecg-ghost": "#7b3fa0",
    "ecg-cursor": "#ffc24d",
    "ecg-beat": "#fbcfc6",
    "ecg-caliper": "#8fc1e8",
    "salient-up": "#c2185b",
    "salient-down": "#1565c0",
    "step-quiet": "#e6e3e0",
    "step-quiet-ink": "#4a4a4a",
    "step-current": "#d97706",
    "step-current-ink": "#ffffff",
    "interval-ground": "#f0eeec",
    "interval-reference": "#cfe3f2",
    "interval-ink": "#12344d",
    "interval-outside": "#a84300",
    "measured-ink": "#000000",
    "quiet-ink": "#63605d",
    "warning-ink": "#a84300",
    "research-ground": "#ffe3a6",
    "research-ink": "#5c3d00",
}

_CONTRAST = {
    **_DARK,
    "ecg-even": "#000000",
    "ecg-odd": "#1c1c1c",
    "ecg-margin": "#000000",
    "ecg-trace": "#ffffff",
    "ecg-label": "#56b4e9",
    "ecg-clipped": "#e69f00",
    "ecg-pulse": "#b0b0b0",
    "ecg-ghost": "#cc79a7",
    "ecg-cursor": "#b36b00",
    "ecg-beat": "#12324a",
    "step-quiet": "#303030",
    "step-quiet-ink": "#ffffff",
    "step-current": "#e69f00",
    "interval-reference": "#0b4a73",
    "interval-ink": "#ffffff",
    "interval-outside": "#ffb52e",
    "quiet-ink": "#c8c8c8",
    "research-ground": "#e69f00",
    "research-ink": "#000000",
}

DEFAULT_VARIABLES = _DARK
"""What a theme that is not ours draws ECGs in, when it is dark; `LIGHT_VARIABLES` otherwise."""
LIGHT_VARIABLES = _PAPER


def build_themes() -> tuple[Theme, ...]:
    """`ptacl-dark`, `ptacl-paper` (light, the pink of ECG paper) and `ptacl-contrast`."""
    return (
        Theme(
            name="ptacl-dark",
            primary="#5aa9e6",
            secondary="#2d5f8b",
            accent="#f5a524",
            warning="#ffb04a",
            error="#ff6f59",
            success="#56c7a0",
            foreground="#d9e0e7",
            background="#0d1116",
            surface="#12171e",
            panel="#1b232d",
            dark=True,
            variables=_DARK,
        ),
        Theme(
            name="ptacl-paper",
            primary="#1f5f99",
            secondary="#7a9cbf",
            accent="#b45309",
            warning="#a84300",
            error="#b3261e",
            success="#0f6f4f",
            foreground="#1c1b1a",
            background="#fbf9f7",
            surface="#ffffff",
            panel="#ece8e4",
            dark=False,
            variables=_PAPER,
        ),
        Theme(
            name=CONTRAST_THEME,
            primary="#56b4e9",
            secondary="#0072b2",
            accent="#e69f00",
            warning="#ffb52e",
            error="#ff8a65",
            success="#56b4e9",
            foreground="#ffffff",
            background="#000000",
            surface="#0a0a0a",
            panel="#1f1f1f",
            dark=True,
            variables=_CONTRAST,
        ),
    )
