"""Coverage-guided fuzzing of this stack: ``python -m tools.fuzz TARGET --seconds N``. See docs/fuzzing.md."""
