"""Records that judge: what a server was asked, and what readers saw of the token files."""
