"""Private text: out of a stream and back in."""
