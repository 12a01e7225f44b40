"""The shipped profiles beside the requests and answers that providers document."""
