"""Learning to route from what models got right: train once, then serve what was measured offline."""
