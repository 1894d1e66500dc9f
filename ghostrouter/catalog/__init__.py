"""What is known of providers and their models: two data files, and how they are read."""
