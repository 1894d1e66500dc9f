"""The clients of what keeps things."""
