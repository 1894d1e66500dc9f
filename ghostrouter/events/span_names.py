"""The names of span attributes. Those of OpenTelemetry are of its semantic conventions 1.44.0.

The names in `gen_ai` are in development. 1.44.0 is the version of the package `opentelemetry-semantic-conventions`
0.66b2; a test compares the names with that package. Names in `ghostrouter` are GhostRouter's own.
"""

SCHEMA_URL = "https://opentelemetry.io/schemas/1.44.0"

HTTP_METHOD = "http.request.method"
HTTP_ROUTE = "http.route"
HTTP_STATUS = "http.response.status_code"
URL_PATH = "url.path"
URL_SCHEME = "url.scheme"
ERROR_TYPE = "error.type"

OPERATION = "gen_ai.operation.name"
PROVIDER = "gen_ai.provider.name"
CONVERSATION = "gen_ai.conversation.id"
MODEL = "gen_ai.request.model"
STREAM = "gen_ai.request.stream"
MAX_TOKENS = "gen_ai.request.max_tokens"
TEMPERATURE = "gen_ai.request.temperature"
TOP_P = "gen_ai.request.top_p"
FINISH_REASONS = "gen_ai.response.finish_reasons"
FIRST_CHUNK_S = "gen_ai.response.time_to_first_chunk"
INPUT_TOKENS = "gen_ai.usage.input_tokens"
OUTPUT_TOKENS = "gen_ai.usage.output_tokens"
CACHED_TOKENS = "gen_ai.usage.cache_read.input_tokens"
REASONING_TOKENS = "gen_ai.usage.reasoning.output_tokens"

# The session.
OUTCOME = "ghostrouter.outcome"
HANDOFFS = "ghostrouter.handoffs"
KEPT_TOKENS = "ghostrouter.kept_tokens"
COST_USD = "ghostrouter.cost_usd"
# The router.
TASK = "ghostrouter.task"
LAYER = "ghostrouter.layer"
CONFIDENCE = "ghostrouter.confidence"
PLAN = "ghostrouter.plan"
PROPENSITY = "ghostrouter.propensity"
STAGE_S = "ghostrouter.{}_s"
# A segment, and the seam before it.
REASON = "ghostrouter.reason"
REPLICA = "ghostrouter.replica"
ESTIMATED = "ghostrouter.usage_estimated"
IS_LOST_HEDGE = "ghostrouter.lost_hedge"
SOURCE = "ghostrouter.source"
TARGET = "ghostrouter.target"
CONTINUATION = "ghostrouter.continuation"
KV_MODE = "ghostrouter.kv_mode"
ROLLBACK_TOKENS = "ghostrouter.rollback_tokens"
STALL_S = "ghostrouter.stall_s"
# A verdict.
ACTION = "ghostrouter.action"
RISK = "ghostrouter.risk"
POSITION = "ghostrouter.position"
ONSET = "ghostrouter.onset"

# OpenTelemetry's names of providers that differ from those of the catalogue.
PROVIDERS = {
    "azure": "azure.ai.openai",
    "gemini": "gcp.gemini",
    "local": "vllm",
    "mistral": "mistral_ai",
    "xai": "x_ai",
}
