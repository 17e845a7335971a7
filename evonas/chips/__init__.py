"""What a network costs on a chip and whether it fits there, from counts and profiles alone."""
