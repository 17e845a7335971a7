"""What a network consists of, without torch: shared by spaces, spiking networks and chips."""
