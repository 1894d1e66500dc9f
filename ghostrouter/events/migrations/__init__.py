"""The history of the event store's tables. A change of `events/schema.py` needs a new version here."""
