"""Which model writes first, and which one takes over."""
