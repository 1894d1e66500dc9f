"""Ray and Ray Serve on one machine, with those of their parts that GhostRouter needs."""
