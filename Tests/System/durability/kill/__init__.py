"""The daemon is killed at any moment."""
