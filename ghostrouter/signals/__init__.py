"""Tokens to numbers: what an engine's output says about how sure it is."""
