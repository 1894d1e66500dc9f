"""Who may call, for how much, and what may leave."""
