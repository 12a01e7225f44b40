"""Token files, and the programs that run after they change."""
