"""The three processes of bench/overhead.py."""
