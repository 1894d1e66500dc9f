"""Where sessions, events and quotas are kept: stores and clients."""
