"""How a refresh token reaches the daemon: sign-ins, imports, initial tokens."""
