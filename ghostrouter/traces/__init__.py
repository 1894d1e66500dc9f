"""Labelled traces: answers with their signals and where they went wrong. The format is in docs/traces.md."""
