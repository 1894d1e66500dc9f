/** The routing table, and what would be decided for a prompt. No model is asked. */

import { post } from "../api";
import { catalog } from "../catalog";
import { fill, h, modelTag, number, usd } from "../dom";
import { planTable } from "../plan";
import type { Preview } from "../types";
import { tile } from "./fleet";

export class RoutingView {
  readonly element: HTMLElement;
  private readonly table = h("div", {}, h("p", { class: "quiet" }, "Loading…"));
  private readonly result = h("div", { class: "what-if", "aria-live": "polite" });
  private readonly input = h("textarea", { id: "what-if", rows: 3, placeholder: "A prompt…" });
  private readonly model = h("select", { id: "what-if-model" });
  private timer = 0;
  private asked = 0;

  constructor() {
    const again = (): void => {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.preview(), 300) as unknown as number;
    };
    this.input.addEventListener("input", again);
    this.model.addEventListener("change", again);
    this.element = h(
      "div",
      { class: "page" },
      h("h1", {}, "Routing"),
      h("div", { class: "split" },
        h("section", {}, h("h2", {}, "What if?"), h("label", { htmlFor: "what-if", class: "quiet" }, "Type a prompt. You see the decision; no model is asked."), this.input, h("div", { class: "composer-row" }, h("label", { htmlFor: "what-if-model" }, "Model"), this.model), this.result),
        h("section", {}, h("h2", {}, "Table"), this.table),
      ),
    );
  }

  async open(): Promise<void> {
    try {
      const table = await catalog();
      fill(this.model, ...[...table.names, ...table.models.map((m) => m.model)].map((n) => h("option", { value: n, selected: n === "ghost/auto" }, n)));
      fill(
        this.table,
        h("table", {}, h("thead", {}, h("tr", {}, ...["task", "models, cheapest first", "rules", "examples"].map((t) => h("th", { scope: "col" }, t)))), h("tbody", {}, ...table.routes.map((r) => h("tr", {}, h("th", { scope: "row" }, r.task), h("td", {}, ...r.models.flatMap((m, i) => [i ? " → " : "", modelTag(m)])), h("td", { class: "num" }, r.rules), h("td", { class: "num" }, r.examples))))),
        h("h2", {}, "Models"),
        h("table", {}, h("thead", {}, h("tr", {}, ...["model", "provider", "context", "$ / M tokens in", "out"].map((t) => h("th", { scope: "col" }, t)))), h("tbody", {}, ...table.models.map((m) => h("tr", {}, h("th", { scope: "row" }, modelTag(m.model)), h("td", {}, m.provider), h("td", { class: "num" }, m.context_tokens.toLocaleString("en")), h("td", { class: "num" }, m.prompt_usd_per_mtok), h("td", { class: "num" }, m.completion_usd_per_mtok))))),
      );
    } catch (e) {
      fill(this.table, h("p", { class: "error" }, (e as Error).message));
    }
  }

  private async preview(): Promise<void> {
    const query = this.input.value.trim();
    const asked = ++this.asked;
    if (!query) return fill(this.result);
    try {
      const found = await post<Preview>("v1/route", { query, model: this.model.value || "ghost/auto" });
      if (asked !== this.asked) return;
      const e = found.estimate;
      const total = Object.values(found.router_ms).reduce((a, b) => a + b, 0);
      fill(this.result, planTable(found), h("div", { class: "tiles" }, tile("prompt", `${e.prompt_tokens} tokens`), tile("expected answer", `${number(e.completion_tokens, 0)} tokens`), tile("expected cost", usd(e.cost_usd)), tile("expected wait", e.latency_s === null ? "–" : `${number(e.latency_s)} s`), tile("decided in", `${number(total, 1)} ms`)));
    } catch (e) {
      if (asked === this.asked) fill(this.result, h("p", { class: "error" }, (e as Error).message));
    }
  }
}
