"""Questions with a known course: one that small cannot answer alone, one that it can."""

from models import questions
from models.families import biography

BIOGRAPHIES = [q for q in questions.sample("test", 99, 400) if q.family == biography.NAME]
UNKNOWN_TO_SMALL = [q for q in BIOGRAPHIES if q.subject not in biography.KNOWN_TO_SMALL]
KNOWN_TO_SMALL = [q for q in BIOGRAPHIES if q.subject in biography.KNOWN_TO_SMALL]
