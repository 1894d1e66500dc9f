"""Numbers to risk: detectors, their calibration, and the monitor that turns them into verdicts."""
