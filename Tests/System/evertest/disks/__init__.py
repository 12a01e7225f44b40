"""File systems in loop-mounted images, which can be filled, broken, frozen and cut off."""
