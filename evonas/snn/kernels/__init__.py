"""The numerical kernels of spiking networks: the scan over time, convolutions of spikes, input currents."""
