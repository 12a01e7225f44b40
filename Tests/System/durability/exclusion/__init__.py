"""One state directory, one daemon; one refresh token, one request."""
