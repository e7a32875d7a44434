"""One dimension, exactly."""
