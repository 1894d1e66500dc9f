"""Keys, limits, budgets, the ledger."""
