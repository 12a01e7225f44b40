"""Of no secret eight bytes in a row are seen anywhere but where they belong."""
