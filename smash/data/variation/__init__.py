"""What an epoch sees of training sequences: thinned, folded, mirrored, the late more often."""
