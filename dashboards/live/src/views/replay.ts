/** One kept session, token by token, with a scrubber. From any token another model can go on. */

import { get } from "../api";
import { Answer } from "../answer";
import { knownCatalog, catalog } from "../catalog";
import { SignalChart } from "../chart";
import { fill, h, modelTag, number, usd } from "../dom";
import { feed } from "../feed";
import { Flow } from "../flow";
import { Lane } from "../lane";
import * as popover from "../popover";
import type { Detail } from "../types";
import { feedback } from "./ask";
import { tile } from "./fleet";

export class ReplayView {
  readonly element = h("div", { class: "page replay" });
  private detail: Detail | undefined;
  private end = 0;
  private playing = 0;
  private flow: Flow | undefined;
  private chart: SignalChart | undefined;
  private readonly scrubber = h("input", { type: "range", min: "0", "aria-label": "Tokens shown", oninput: () => this.seek(Number(this.scrubber.value)) });
  private readonly clock = h("output", { class: "clock" });
  private readonly play = h("button", { type: "button", class: "play", onclick: () => this.toggle() }, "Play");
  private readonly speed = h("select", { "aria-label": "Speed" }, ...[1, 0.25, 0.1, 4].map((s) => h("option", { value: s }, `${s}×`)));
  private readonly lanes = h("div", { class: "lanes" });
  private stop: (() => void) | undefined;

  constructor(private readonly id: string) {}

  async open(): Promise<void> {
    fill(this.element, h("h1", {}, "Session"), h("p", { class: "quiet" }, "Loading…"));
    catalog().catch(() => {});
    await this.load();
    this.stop = feed.listen((dirty) => {
      const row = feed.sessions.get(this.id);
      if (dirty?.has(this.id) && row && this.detail?.outcome === "running") void this.load();
    });
  }

  close(): void {
    this.stop?.();
    cancelAnimationFrame(this.playing);
    this.chart?.destroy();
  }

  private async load(): Promise<void> {
    try {
      const follows = !this.detail || this.end === this.detail.tokens.length;
      this.detail = await get<Detail>(`v1/sessions/${this.id}`);
      if (!this.detail.messages) for (const t of this.detail.tokens) t.text = "▪ ";
      if (!this.flow) this.build(this.detail);
      this.scrubber.max = String(this.detail.tokens.length);
      if (follows) this.seek(this.detail.tokens.length);
    } catch (e) {
      fill(this.element, h("h1", {}, "Session"), h("p", { class: "error", role: "alert" }, (e as Error).message), h("p", {}, h("a", { href: "#/fleet" }, "All sessions")));
    }
  }

  private build(detail: Detail): void {
    const { ghost } = detail;
    this.flow = new Flow(
      "Answer",
      (i, anchor) => {
        popover.show(i, anchor, this.where());
        this.chart?.point(i);
      },
      (i, anchor) => popover.pin(i, anchor, this.where()),
    );
    const place = h("div", { class: "chart", "aria-hidden": "true" });
    fill(
      this.element,
      h("h1", {}, "Session ", h("code", {}, detail.id.replace("chatcmpl-", "").slice(0, 12))),
      h("p", { class: "quiet" }, `${detail.outcome} · kept for ${number(detail.kept_s / 60, 0)} more minutes`, detail.branch_of ? h("span", {}, " · branch of ", h("a", { href: `#/session/${detail.branch_of.session}` }, detail.branch_of.session.slice(9, 17)), ` from token ${detail.branch_of.tokens + 1}`) : null),
      h("div", { class: "tiles" }, tile("tokens", String(detail.tokens.length)), tile("changes of model", String(ghost.handoffs)), tile("cost", usd(ghost.cost_usd)), ...ghost.segments.slice(0, 8).map((s) => tile(modelTag(s.model), `${s.tokens} · ${s.reason.replace("_", "-")}`))),
      ...(detail.messages ?? []).slice(-1).map((m) => h("p", { class: "question" }, m.content)), detail.messages ? null : h("p", { class: "quiet" }, "Another key's session: you see how it was written, not what."),
      h("div", { class: "transport" }, this.play, this.scrubber, this.clock, this.speed),
      h("article", { class: "lane" }, this.flow.element, h("div", { class: "chart-box" }, place), feedback({ id: detail.id })),
      h("p", { class: "quiet" }, `Plan: ${detail.plan.join(", ")}. ${detail.plan_reason}`),
      this.lanes,
    );
    this.chart = new SignalChart(place, (i) => this.flow!.mark(i));
    if (!detail.tokens.length) this.flow.element.append(detail.text || "No tokens are kept.");
  }

  private where(): popover.Where {
    const { tokens, seams } = this.detail!;
    return { tokens, seams, models: this.detail!.messages ? knownCatalog().models.map((m) => m.model) : [], goOn: (at, model) => this.goOn(at, model) };
  }

  private goOn(at: number, model: string, from = this.id): void {
    const branch = new Answer(`From token ${at + 1}, by ${model}`);
    const lane = new Lane(branch, () => knownCatalog().models.map((m) => m.model), (a, i, m) => this.goOn(i, m, a.id), () => {});
    lane.element.append(feedback(branch));
    this.lanes.append(lane.element);
    this.lanes.dataset.count = String(this.lanes.children.length);
    lane.element.scrollIntoView({ block: "nearest", behavior: "smooth" });
    void branch.run(`v1/sessions/${from}/branch`, { at, model });
  }

  private seek(end: number): void {
    const { tokens, seams } = this.detail!;
    this.end = end;
    this.scrubber.value = String(end);
    this.flow!.show(tokens, seams, end);
    if (tokens.length) this.chart!.show(tokens, seams, end);
    this.clock.textContent = `${end} / ${tokens.length} · ${number((tokens[end - 1]?.at_ms ?? 0) / 1000)} s`;
    this.scrubber.setAttribute("aria-valuetext", `${end} of ${tokens.length} tokens`);
  }

  private toggle(): void {
    if (this.playing) return this.pause();
    const tokens = this.detail!.tokens;
    if (this.end >= tokens.length) this.seek(0);
    const from = tokens[this.end - 1]?.at_ms ?? (tokens[0]?.at_ms ?? 0) - 1;
    const began = performance.now();
    this.play.textContent = "Pause";
    const step = (): void => {
      const now = from + (performance.now() - began) * Number(this.speed.value);
      let end = this.end;
      while (end < tokens.length && (tokens[end]!.at_ms ?? 0) <= now) end++;
      if (end !== this.end) this.seek(end);
      if (end >= tokens.length) return this.pause();
      this.playing = requestAnimationFrame(step);
    };
    this.playing = requestAnimationFrame(step);
  }

  private pause(): void {
    cancelAnimationFrame(this.playing);
    this.playing = 0;
    this.play.textContent = "Play";
  }
}
