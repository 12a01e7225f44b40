"""Authorization servers, real and made up, and what they need: certificates, proxies."""
