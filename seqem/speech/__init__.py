"""Speech: from samples to feature frames, and on to words."""
