"""One answer from its opening to its end: plan, run, hand over, bill."""
