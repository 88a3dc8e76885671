"""The law of the next event: samples, densities, mixtures of laws, regions."""
