"""The numerical kernels of spiking networks: the scan over time and convolutions of spikes."""
