"""Detectors with fixed parameters: they need no traces. A calibration may name one of them."""

from collections.abc import Mapping

from ghostrouter.detect.detector import Detector
from ghostrouter.detect.first_of_step import FirstOfStep
from ghostrouter.detect.least_confidence import LeastConfidence
from ghostrouter.detect.level import Level
from ghostrouter.detect.margin import Margin
from ghostrouter.detect.page_hinkley import PageHinkley
from ghostrouter.detect.slope import Slope
from ghostrouter.detect.text_only import TextOnly
from ghostrouter.detect.window_entropy import WindowEntropy

FIXED_DETECTORS: Mapping[str, Detector] = {
    "level": Level(),
    "slope": Slope(8),
    "margin": Margin(),
    "least_confidence": LeastConfidence(),
    "first_of_step": FirstOfStep(),
    "window": WindowEntropy(8),
    "page_hinkley": PageHinkley(0.1),
    "text_only": TextOnly(),
}
