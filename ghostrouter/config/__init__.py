"""The typed configuration: the `args` in serve_config.yaml. No other part of the library reads configuration.

Environment variables are read here too, each by the section that names it. Besides, the command line reads its own
variables and Ray's, and deployments read Ray's and CUDA's.

pydantic-settings is not used: its errors name neither the line nor the nearest key, and it cannot override a list entry
by the name of the entry.
"""

from ghostrouter.config.access import Access, Budgets, Redaction
from ghostrouter.config.embeddings import EmbeddingModel
from ghostrouter.config.environment import api_key, cache_dir, is_set_up, key_in, log_dir, servers, span_exporters
from ghostrouter.config.graph import GraphConfig
from ghostrouter.config.models import CLOUD_NAME, Breakers, CloudModel, LocalModel, Providers, SamplingDefaults
from ghostrouter.config.routing import Classify, Override, Route, Router
from ghostrouter.config.serve_file import ServeFile
from ghostrouter.config.serving import Events, FrameLimits, Journal, Logs, Sessions, Telemetry

__all__ = [
    "CLOUD_NAME", "Access", "Breakers", "Budgets", "Classify", "CloudModel", "EmbeddingModel", "Events", "FrameLimits",
    "GraphConfig", "Journal", "LocalModel", "Logs", "Override", "Providers", "Redaction", "Route", "Router",
    "SamplingDefaults", "ServeFile", "Sessions", "Telemetry", "api_key", "cache_dir", "is_set_up", "key_in", "log_dir",
    "servers", "span_exporters",
]  # fmt: skip
