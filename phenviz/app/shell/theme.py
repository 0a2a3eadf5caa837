"""Colours and sizes of the page; those of the tracks are their own."""

from __future__ import annotations

from typing import Any

FONT = "Inter, Roboto, 'Helvetica Neue', Arial, sans-serif"

THEME_CONFIG: dict[str, Any] = {
    "light": {
        "palette": {
            "primary": {"main": "#1f5f8b"},
            "background": {"default": "#ffffff", "paper": "#ffffff"},
            "text": {"primary": "#1c2733", "secondary": "#5c6b7a"},
            "divider": "#e1e6eb",
        },
        "typography": {"fontFamily": FONT},
    },
    "dark": {
        "palette": {
            "primary": {"main": "#7fb8ea"},
            "background": {"default": "#121212", "paper": "#121212"},
            "text": {"primary": "#e8edf2", "secondary": "#9aa7b4"},
            "divider": "#2a3138",
        },
        "typography": {"fontFamily": FONT},
    },
}

PAGE_SX: dict[str, Any] = {
    "--phenviz-font": FONT,
    "--phenviz-bad": "#b3261e",
    "--phenviz-warn": "#8a5300",
    "--phenviz-good": "#1b6e3f",
    "--phenviz-up": "#b3261e",
    "--phenviz-down": "#1f5f8b",
    "&.mui-dark": {
        "--phenviz-bad": "#ff8a80",
        "--phenviz-warn": "#ffc266",
        "--phenviz-good": "#7fd6a2",
        "--phenviz-up": "#ff8f80",
        "--phenviz-down": "#7fb8ea",
    },
    "& .header": {
        "backgroundColor": "background.paper",
        "backgroundImage": "none",
        "color": "text.primary",
        "boxShadow": "none",
        "borderBottom": "1px solid",
        "borderColor": "divider",
    },
    "& .header .title": {"color": "primary.main", "fontSize": "20px", "fontWeight": 700},
    "& .MuiToolbar-root": {"minHeight": "48px !important", "height": "48px"},
    "& .MuiDrawer-paper": {"backgroundImage": "none"},
}
