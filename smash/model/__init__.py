"""SMASH: encoder, score network, objectives, training, checkpoints."""
