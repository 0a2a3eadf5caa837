"""The dashboard: state, components that draw it, and pages that lay them out; `phenviz.app.serve` starts it."""
