"""What an example's bytes become, one room a kind of example: `image`."""
