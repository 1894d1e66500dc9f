"""Detectors that need no training, by name, as they are compared and as a calibration may name them."""

from collections.abc import Mapping

from ghostrouter.detect.confidence import WindowDoubt
from ghostrouter.detect.detector import Detector
from ghostrouter.detect.doubt import Doubt
from ghostrouter.detect.first_of_step import FirstOfStep
from ghostrouter.detect.level import Level
from ghostrouter.detect.margin import Margin
from ghostrouter.detect.page_hinkley import PageHinkley
from ghostrouter.detect.slope import Slope
from ghostrouter.detect.text_only import TextOnly

UNLEARNED: Mapping[str, Detector] = {
    "level": Level(),
    "slope": Slope(8),
    "margin": Margin(),
    "doubt": Doubt(),
    "first_of_step": FirstOfStep(),
    "window": WindowDoubt(8),
    "page_hinkley": PageHinkley(0.1),
    "text_only": TextOnly(),
}
