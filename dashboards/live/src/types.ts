/** What the service sends: docs/http_api.md describes every field. */

export interface Token {
  text: string;
  model: string;
  segment: number;
  position: number;
  entropy_nats: number | null;
  slope: number | null;
  margin: number | null;
  logprob: number | null;
  draft_acceptance: number | null;
  risk: number | null;
  alternatives: { text: string; logprob: number }[] | null;
  at_ms?: number;
}

export interface Seam {
  from: string;
  to: string;
  reason: string;
  detail: string;
  rollback_tokens: number;
  kv_mode: string | null;
  continuation: string | null;
  stall_ms: number | null;
  segment: number;
  position: number;
}

export interface Segment {
  model: string;
  reason: string;
  detail: string;
  tokens: number;
  cost_usd: number | null;
  copied: boolean;
  usage: { prompt_tokens: number; completion_tokens: number };
}

export interface Ghost {
  id: string;
  plan: string[];
  handoffs: number;
  cost_usd: number;
  segments: Segment[];
  router_ms: number | null;
  inference_ms: number | null;
}

export interface Candidate {
  model: string;
  eligible: boolean;
  reason: string | null;
  score_usd: number | null;
  terms: Record<string, number>;
  prompt_tokens: number | null;
}

export interface Preview {
  classification: { task: string; layer: string; confidence: number; reason: string } | null;
  plan: string[];
  plan_reason: string;
  candidates: Candidate[];
  estimate: { prompt_tokens: number; completion_tokens: number; cost_usd: number; latency_s: number | null };
  router_ms: Record<string, number>;
}

export interface ModelRow {
  model: string;
  provider: string;
  context_tokens: number;
  prompt_usd_per_mtok: number;
  completion_usd_per_mtok: number;
}

export interface RoutingTable {
  routes: { task: string; models: string[]; rules: number; examples: number }[];
  names: string[];
  models: ModelRow[];
}

export interface Row {
  id: string;
  key?: string | null;
  outcome: string;
  opened_at: string;
  task: string | null;
  plan: string[];
  model: string | null;
  segments: { model: string; reason: string; tokens: number }[];
  tokens: number;
  entropy_nats: number | null;
  risk: number | null;
  branch_of: string | null;
}

export interface Health {
  status: string;
  version: string;
  started_at: string;
  models: Record<string, { ready: boolean; running: number | null }>;
  breakers: Record<string, Record<string, unknown>>;
  jobs: { total_jobs: number; max_jobs: number; by_status: Record<string, number> };
}

export interface Budget {
  scope: string;
  name: string;
  window: string;
  limit_usd: number;
  spent_usd: number;
  reserved_usd: number;
  window_ends: string;
}

export interface Detail {
  id: string;
  outcome: string;
  /** Null: this is somebody else's session. */
  messages: { role: string; content: string }[] | null;
  text: string | null;
  branch_of: { session: string; tokens: number } | null;
  classification: Preview["classification"];
  plan: string[];
  plan_reason: string;
  tokens: Token[];
  seams: Seam[];
  ghost: Ghost;
  kept_s: number;
}
