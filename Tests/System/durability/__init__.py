"""No refresh token is lost and none is sent twice."""
