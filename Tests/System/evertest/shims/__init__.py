"""Libraries loaded before the C library, which make chosen calls fail or do nothing."""
