/** Models, circuit breakers and jobs; and the budgets. Both come with the feed. */

import { fill, h, modelTag, number, usd } from "../dom";
import { feed } from "../feed";
import { tile } from "./fleet";

abstract class FeedView {
  readonly element = h("div", { class: "page" });
  private stop: (() => void) | undefined;

  open(): void {
    this.render();
    this.stop = feed.listen(() => this.render());
  }

  close(): void {
    this.stop?.();
  }

  protected abstract render(): void;
}

export class HealthView extends FeedView {
  private shown = "";

  protected render(): void {
    const health = feed.health;
    const now = JSON.stringify(health);
    if (now === this.shown) return;
    this.shown = now;
    if (!health) return fill(this.element, h("h1", {}, "Health"), h("p", { class: "quiet" }, "Waiting for the feed…"));
    const breakers = Object.entries(health.breakers);
    fill(
      this.element,
      h("h1", {}, "Health"),
      h("div", { class: "tiles" }, tile("service", h("span", { class: `state ${health.status}` }, health.status)), tile("version", health.version), tile("up since", new Date(health.started_at).toLocaleString()), tile("jobs", `${health.jobs.total_jobs} of ${health.jobs.max_jobs}`)),
      h("h2", {}, "Local models"),
      h("table", {}, h("thead", {}, h("tr", {}, ...["model", "state", "running"].map((t) => h("th", { scope: "col" }, t)))), h("tbody", {}, ...Object.entries(health.models).map(([name, m]) => h("tr", {}, h("th", { scope: "row" }, modelTag(name)), h("td", {}, h("span", { class: `state ${m.ready ? "healthy" : "unhealthy"}` }, m.ready ? "ready" : "not ready")), h("td", { class: "num" }, m.running ?? "–"))))),
      h("h2", {}, "Circuit breakers"),
      breakers.length
        ? h("table", {}, h("thead", {}, h("tr", {}, ...["model", "provider", "state", "details"].map((t) => h("th", { scope: "col" }, t)))), h("tbody", {}, ...breakers.map(([name, b]) => { const { provider, state, ...rest } = b; return h("tr", {}, h("th", { scope: "row" }, modelTag(name)), h("td", {}, String(provider ?? "")), h("td", {}, h("span", { class: `state ${state === "closed" ? "healthy" : state === "open" ? "unhealthy" : "degraded"}` }, String(state ?? ""))), h("td", { class: "quiet" }, Object.entries(rest).map(([k, v]) => `${k} ${typeof v === "number" ? number(v) : v}`).join(", "))); })))
        : h("p", { class: "quiet" }, "No cloud model has been called yet."),
    );
  }
}

export class BudgetsView extends FeedView {
  private shown = "";

  protected render(): void {
    const now = JSON.stringify([feed.budgets, feed.budgetsError]);
    if (now === this.shown) return;
    this.shown = now;
    fill(
      this.element,
      h("h1", {}, "Budgets"),
      feed.budgetsError ? h("p", { class: "error" }, feed.budgetsError) : null,
      feed.budgets.length
        ? h("div", { class: "budgets" }, ...feed.budgets.map((b) => {
            const share = (x: number): string => `${b.limit_usd ? Math.min(100, (100 * x) / b.limit_usd) : 100}%`;
            const [spent, reserved] = [h("i", { class: "bar" }), h("i", { class: "bar reserved" })];
            spent.style.width = share(b.spent_usd);
            reserved.style.width = share(b.reserved_usd);
            return h("section", { class: "budget" }, h("h2", {}, `${b.scope} ${b.name}`), h("p", { class: "quiet" }, `per ${b.window}, until ${new Date(b.window_ends).toLocaleString()}`), h("div", { class: "track big", role: "img", "aria-label": `${usd(b.spent_usd)} of ${usd(b.limit_usd)} spent` }, spent, reserved), h("p", {}, h("b", {}, usd(b.spent_usd)), ` of ${usd(b.limit_usd)} spent; ${usd(b.reserved_usd)} reserved for running calls`));
          }))
        : h("p", { class: "quiet" }, "No budget applies to you. `budgets.limits` in the configuration sets them."),
    );
  }
}
