"""Real authorization servers, and every shipped profile."""
