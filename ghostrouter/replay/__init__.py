"""The seam: which tokens are held, where an answer is cut, and how another model continues it."""
