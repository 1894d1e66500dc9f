/** The plan with every candidate's score terms, and what the answer has cost so far. */

import { fill, h, hue, modelTag, number, usd } from "./dom";
import type { Answer } from "./answer";
import type { Candidate, ModelRow, Preview } from "./types";

/** The candidates of a decision: score terms as bars, or the reason of the refusal. */
export function planTable(preview: Preview): HTMLElement {
  const label = preview.classification;
  const most = Math.max(1e-12, ...preview.candidates.flatMap((c) => Object.values(c.terms).map(Math.abs)));
  return h(
    "div",
    { class: "plan" },
    label
      ? h("p", { class: "task" }, h("strong", {}, label.task), h("span", { class: "quiet" }, ` · ${label.layer} · ${(100 * label.confidence).toFixed(0)}% sure`), h("span", { class: "quiet block" }, label.reason))
      : null,
    h(
      "ol",
      { class: "candidates" },
      ...order(preview).map((c) =>
        h(
          "li",
          { class: c.eligible ? "" : "refused" },
          h("div", { class: "cand-head" }, modelTag(c.model), h("span", { class: "rank" }, rank(c, preview.plan)), h("b", {}, c.score_usd === null ? "" : usd(c.score_usd))),
          c.eligible ? terms(c, most) : h("p", { class: "quiet" }, c.reason ?? ""),
        ),
      ),
    ),
    h("p", { class: "quiet" }, preview.plan_reason),
  );
}

function order(preview: Preview): Candidate[] {
  const at = (c: Candidate): number => (preview.plan.includes(c.model) ? preview.plan.indexOf(c.model) : 99);
  return [...preview.candidates].sort((a, b) => at(a) - at(b));
}

function rank(candidate: Candidate, plan: string[]): string {
  const at = plan.indexOf(candidate.model);
  return at === 0 ? "begins" : at > 0 ? `may take over (${at + 1})` : "not in the plan";
}

function terms(candidate: Candidate, most: number): HTMLElement {
  const rows = Object.entries(candidate.terms).map(([name, value]) => {
    const bar = h("i", { class: value < 0 ? "bar minus" : "bar" });
    bar.style.width = `${(100 * Math.abs(value)) / most}%`;
    return h("div", { class: "term" }, h("span", {}, name.replace(/_usd$/, "").replace(/_/g, " ")), h("span", { class: "track" }, bar), h("b", {}, usd(value)));
  });
  return rows.length
    ? h("div", { class: "terms" }, ...rows)
    : h("p", { class: "quiet" }, `Order of the route: no price, no learned quality. ${candidate.prompt_tokens ?? "?"} prompt tokens.`);
}

/** Who wrote how much, and the cost so far against the strongest model alone. */
export class CostView {
  readonly element = h("div", { class: "cost" });
  constructor(
    private readonly models: () => ModelRow[],
    private readonly preview: () => Preview | undefined,
  ) {}

  show(answer: Answer): void {
    const counts = new Map<string, number>();
    const branchAt = answer.seams.find((s) => s.reason === "branch")?.position ?? 0;
    for (const t of answer.tokens) counts.set(t.model, (counts.get(t.model) ?? 0) + 1);
    const large = strongest(this.preview()?.plan ?? [...counts.keys()], this.models());
    const soFar = answer.ghost?.cost_usd ?? this.costSoFar(answer, branchAt);
    const alone = large ? this.costAlone(large, answer.tokens.length) : 0;
    const total = Math.max(1, answer.tokens.length);
    const strip = h("div", { class: "strip", "aria-hidden": "true" });
    for (const [model, n] of counts) {
      const part = h("i", { class: `b${hue(model)}` });
      part.style.width = `${(100 * n) / total}%`;
      strip.append(part);
    }
    fill(
      this.element,
      strip,
      h("ul", { class: "shares" }, ...[...counts].map(([m, n]) => h("li", {}, modelTag(m), h("b", {}, `${n}`), h("span", { class: "quiet" }, `${((100 * n) / total).toFixed(0)}%`)))),
      h(
        "p",
        { class: "versus" },
        alone > 0
          ? h("span", {}, h("b", {}, usd(soFar)), " so far; ", h("b", {}, usd(alone)), ` if ${large!.model} wrote it all`)
          : h("span", {}, h("b", {}, `${large ? (counts.get(large.model) ?? 0) : 0}`), ` of ${answer.tokens.length} tokens by ${large?.model ?? "the strongest model"}. No model has a price.`),
      ),
      alone > 0 && answer.tokens.length ? h("p", { class: "quiet" }, soFar <= alone ? `${number(100 * (1 - soFar / alone), 0)}% saved` : `${number(100 * (soFar / alone - 1), 0)}% dearer`) : null,
    );
  }

  private promptTokens(model: string): number {
    const found = this.preview()?.candidates.find((c) => c.model === model)?.prompt_tokens;
    return found ?? this.preview()?.estimate.prompt_tokens ?? 0;
  }

  private price(name: string): ModelRow | undefined {
    return this.models().find((m) => m.model === name);
  }

  /** An estimate while the answer is written; the service tells the real cost at its end. */
  private costSoFar(answer: Answer, from: number): number {
    let sum = 0;
    let segment = -1;
    for (const t of answer.tokens.slice(from)) {
      const price = this.price(t.model);
      if (!price) continue;
      if (t.segment !== segment) sum += (this.promptTokens(t.model) + t.position) * price.prompt_usd_per_mtok;
      segment = t.segment;
      sum += price.completion_usd_per_mtok;
    }
    return sum / 1e6;
  }

  private costAlone(large: ModelRow, tokens: number): number {
    return (this.promptTokens(large.model) * large.prompt_usd_per_mtok + tokens * large.completion_usd_per_mtok) / 1e6;
  }
}

/** The dearest model of a plan; without prices the last one, because routes name the cheapest first. */
function strongest(plan: string[], models: ModelRow[]): ModelRow | undefined {
  const known = models.filter((m) => plan.includes(m.model));
  const cost = (m: ModelRow): number => m.completion_usd_per_mtok + m.prompt_usd_per_mtok;
  const dearest = known.reduce<ModelRow | undefined>((best, m) => (best && cost(best) > cost(m) ? best : m), undefined);
  return dearest;
}
