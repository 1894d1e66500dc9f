"""Classify prompts by task: rules first (layer 1), embeddings if the rules abstain (layer 2)."""
