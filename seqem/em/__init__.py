"""The EM driver: every loop, stop rule, restart, callback and worker pool of seqem."""
