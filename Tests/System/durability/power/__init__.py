"""The disk loses power at any moment."""
