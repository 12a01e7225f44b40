"""Hostile token endpoints, case by case, and the daemon that meets them all."""
