"""What the cloud pool is made of."""
