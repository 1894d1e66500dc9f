"""Takes private text out of what leaves, and puts it back into what comes in."""
