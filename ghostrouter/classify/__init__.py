"""Prompt to task: rules first, meaning when they abstain."""
