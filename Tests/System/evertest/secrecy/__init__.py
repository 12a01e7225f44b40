"""Secrets that can be recognised anywhere, where each may be seen, and the search."""
