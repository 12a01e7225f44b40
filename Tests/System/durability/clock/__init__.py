"""Clocks that are stepped, drift and stand still."""
