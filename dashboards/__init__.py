"""Dashboards, alerts and rules, and the source that makes them."""
