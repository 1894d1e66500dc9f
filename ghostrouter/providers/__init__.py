"""Models behind somebody else's API: what is sent, and what is read from what comes back. No I/O."""
