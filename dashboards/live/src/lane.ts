/** One answer on the screen: tokens, chart, status. Branches are lanes beside it. */

import type { Answer } from "./answer";
import { SignalChart } from "./chart";
import { announce, fill, h, modelTag, number, perFrame, perWhile } from "./dom";
import { Flow } from "./flow";
import * as popover from "./popover";

const WORDS = { waiting: "deciding", writing: "writing", reconnecting: "reconnecting", done: "finished", failed: "failed", stopped: "stopped" };

export class Lane {
  readonly element: HTMLElement;
  private readonly flow: Flow;
  private readonly chart: SignalChart;
  private readonly status = h("span", { class: "status" });
  private readonly stop = h("button", { type: "button", class: "rate", onclick: () => this.answer.stop() }, "Stop");
  private readonly foot = h("div", { class: "lane-foot" });
  private seamsTold = 0;
  /** Tokens come with the next frame; chart, plan and cost need not be that fast. */
  private readonly later = perWhile(80, () => {
    if (this.answer.tokens.length) this.chart.show(this.answer.tokens, this.answer.seams);
    this.onChange(this.answer);
  });

  constructor(
    readonly answer: Answer,
    private readonly models: () => string[],
    private readonly goOn: (answer: Answer, at: number, model: string) => void,
    private readonly onChange: (answer: Answer) => void,
  ) {
    const place = h("div", { class: "chart", "aria-hidden": "true" });
    this.flow = new Flow(
      answer.title,
      (i, anchor) => {
        popover.show(i, anchor, this.where());
        this.chart.point(i);
      },
      (i, anchor) => popover.pin(i, anchor, this.where()),
    );
    this.chart = new SignalChart(place, (i) => this.flow.mark(i));
    this.element = h(
      "article",
      { class: "lane" },
      h("header", { class: "lane-head" }, h("h3", {}, answer.title), this.status, this.stop),
      this.flow.element,
      h("div", { class: "chart-box" }, h("p", { class: "legend", "aria-hidden": "true" }, h("i", { class: "k-entropy" }), "entropy, nats", h("i", { class: "k-slope" }), "slope"), place),
      this.foot,
    );
    answer.changed = perFrame(() => this.render());
    this.render();
  }

  private where(): popover.Where {
    const { tokens, seams } = this.answer;
    return { tokens, seams, models: this.models(), goOn: (at, model) => this.goOn(this.answer, at, model) };
  }

  private render(): void {
    const a = this.answer;
    this.flow.show(a.tokens, a.seams);
    this.later();
    this.element.dataset.state = a.state;
    const now = a.tokens.at(-1)?.model;
    fill(this.status, h("i", { class: "pulse", "aria-hidden": "true" }), WORDS[a.state], a.state === "writing" && now ? modelTag(now) : null);
    for (; this.seamsTold < a.seams.length; this.seamsTold++) {
      const seam = a.seams[this.seamsTold]!;
      announce(`${seam.to} goes on instead of ${seam.from}: ${seam.reason.replace("_", "-")}.`);
    }
    if (a.over) this.end();
  }

  private end(): void {
    const a = this.answer;
    this.stop.hidden = true;
    if (a.error) fill(this.foot, h("p", { class: "error", role: "alert" }, a.error));
    else if (a.ghost) {
      const { handoffs, router_ms, inference_ms } = a.ghost;
      fill(
        this.foot,
        h("span", { class: "quiet" }, `${a.tokens.length} tokens · ${handoffs} ${handoffs === 1 ? "change" : "changes"} of model · routed in ${number(router_ms, 0)} ms, written in ${number(inference_ms, 0)} ms`),
        h("a", { href: `#/session/${a.id}` }, "Replay"),
      );
      announce(`Finished: ${a.tokens.length} tokens, ${handoffs} changes of model.`);
    }
  }
}
