"""The models that ship with GhostRouter, the questions they answer and the script that trained them."""
