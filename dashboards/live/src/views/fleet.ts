/** The sessions of the fleet: who writes now, and where answers change hands. Built for hundreds of rows. */

import { fill, h, hue, modelTag, number, percent } from "../dom";
import { feed } from "../feed";
import type { Row } from "../types";

/** How many rows are on the screen at most: the newest. The numbers above count all. */
const MOST_ROWS = 600;
const SPARK = 32;

class RowView {
  readonly element: HTMLElement;
  private readonly who = h("span", { class: "cell who" });
  private readonly strip = h("span", { class: "cell strip", "aria-hidden": "true" });
  /** What the strip shows, in words. */
  private readonly words = h("span", { class: "unseen" });
  private readonly tokens = h("span", { class: "cell num" });
  private readonly risk = h("span", { class: "cell num" });
  private readonly canvas = h("canvas", { class: "cell spark", width: 4 * SPARK, height: 40, "aria-hidden": "true" });
  private readonly entropies: number[] = [];
  private model = "";
  private parts = "";

  constructor(row: Row, admin: boolean) {
    this.element = h(
      "a",
      { class: "row", href: `#/session/${row.id}` },
      this.who,
      h("span", { class: "cell id" }, row.id.replace("chatcmpl-", "").slice(0, 8), admin && row.key ? h("span", { class: "quiet" }, ` ${row.key}`) : null, row.branch_of ? h("span", { class: "quiet" }, " branch") : null),
      h("span", { class: "cell task" }, row.task ?? "–"),
      this.strip,
      this.canvas,
      this.tokens,
      this.risk,
      this.words,
    );
    this.update(row);
  }

  update(row: Row): void {
    this.element.dataset.outcome = row.outcome;
    this.element.title = row.outcome;
    const model = row.model ?? "";
    if (model !== this.model || !this.who.firstChild) {
      this.model = model;
      fill(this.who, model ? modelTag(model) : "deciding");
    }
    this.tokens.textContent = String(row.tokens);
    this.risk.textContent = percent(row.risk);
    const parts = row.segments.map((s) => `${s.model}:${s.tokens}`).join();
    if (parts !== this.parts) {
      this.parts = parts;
      fill(this.strip, ...row.segments.map((s) => { const bar = h("i", { class: `b${hue(s.model)}` }); bar.style.flexGrow = String(Math.max(0.5, s.tokens)); return bar; }));
      this.words.textContent = `${row.segments.map((s) => `${s.tokens} tokens by ${s.model}`).join(", then ")}. `;
    }
    if (row.entropy_nats !== null && row.entropy_nats !== this.entropies.at(-1)) {
      this.entropies.push(row.entropy_nats);
      if (this.entropies.length > SPARK) this.entropies.shift();
      this.draw();
    }
  }

  private draw(): void {
    const ctx = this.canvas.getContext("2d")!;
    const { width, height } = this.canvas;
    ctx.clearRect(0, 0, width, height);
    ctx.strokeStyle = "#7c7cf0";
    ctx.lineWidth = 2;
    ctx.beginPath();
    const most = Math.max(1, ...this.entropies);
    this.entropies.forEach((e, i) => {
      const [x, y] = [(i * width) / (SPARK - 1), height - 3 - (e / most) * (height - 6)];
      if (i) ctx.lineTo(x, y);
      else ctx.moveTo(x, y);
    });
    ctx.stroke();
  }
}

export class FleetView {
  readonly element: HTMLElement;
  private readonly tiles = h("div", { class: "tiles" });
  private readonly moves = h("div", { class: "moves" });
  private readonly list = h("div", { class: "rows" });
  private readonly hint = h("p", { class: "quiet" });
  private readonly rows = new Map<string, RowView>();
  private stop: (() => void) | undefined;

  constructor() {
    this.element = h(
      "div",
      { class: "page" },
      h("h1", {}, "Fleet"),
      this.hint,
      this.tiles,
      h("h2", {}, "Changes of model"),
      this.moves,
      h("h2", {}, "Sessions"),
      h("div", { class: "row head", "aria-hidden": "true" }, ...["now", "session", "task", "segments", "entropy", "tokens", "risk"].map((n, i) => h("span", { class: `cell ${["who", "id", "task", "strip", "spark", "num", "num"][i]}` }, n))),
      this.list,
    );
  }

  open(): void {
    this.render(undefined);
    this.stop = feed.listen((dirty) => this.render(dirty));
  }

  close(): void {
    this.stop?.();
  }

  private render(dirty: Set<string> | undefined): void {
    if (dirty && !dirty.size && this.rows.size) return;
    if (!dirty) {
      this.rows.clear();
      this.list.replaceChildren();
    }
    const admin = feed.caller?.admin ?? false;
    const ids = dirty ?? new Set([...feed.sessions.keys()].slice(-MOST_ROWS));
    const fresh = document.createDocumentFragment();
    for (const id of ids) {
      const row = feed.sessions.get(id);
      if (!row) continue;
      const known = this.rows.get(id);
      if (known) known.update(row);
      else {
        const made = new RowView(row, admin);
        this.rows.set(id, made);
        fresh.prepend(made.element);
      }
    }
    if (fresh.childNodes.length) this.list.prepend(fresh);
    while (this.rows.size > MOST_ROWS) {
      const [oldest, view] = this.rows.entries().next().value!;
      view.element.remove();
      this.rows.delete(oldest);
    }
    this.summary(admin);
  }

  private summary(admin: boolean): void {
    const all = [...feed.sessions.values()];
    const running = all.filter((r) => r.outcome === "running");
    const writing = count(running.map((r) => r.model ?? "deciding"));
    for (const model of Object.keys(feed.health?.models ?? {})) writing.has(model) || writing.set(model, 0);
    const moves = count(all.flatMap((r) => r.segments.slice(1).map((s, i) => `${r.segments[i]!.model}\n${s.model}\n${s.reason}`)));
    const entropies = running.map((r) => r.entropy_nats).filter((e): e is number => e !== null);
    this.hint.textContent = admin ? "All sessions that this service writes or has written in the last ten minutes." : "Your sessions of the last ten minutes.";
    fill(
      this.tiles,
      tile("running", String(running.length)),
      ...[...writing].map(([m, n]) => tile(m === "deciding" ? m : modelTag(m), String(n))),
      tile("mean entropy", entropies.length ? number(entropies.reduce((a, b) => a + b) / entropies.length) : "–"),
      tile("seen", String(all.length)),
    );
    const most = Math.max(1, ...moves.values());
    fill(
      this.moves,
      ...(moves.size
        ? [...moves].sort((a, b) => b[1] - a[1]).slice(0, 8).map(([name, n]) => {
            const [from, to, reason] = name.split("\n") as [string, string, string];
            const bar = h("i", { class: `bar b${hue(to)}` });
            bar.style.width = `${(100 * n) / most}%`;
            return h("div", { class: "move" }, h("span", {}, modelTag(from), " → ", modelTag(to)), h("span", { class: "quiet" }, reason.replace("_", "-")), h("span", { class: "track" }, bar), h("b", {}, n));
          })
        : [h("p", { class: "quiet" }, "None yet.")]),
    );
  }
}

function count(names: string[]): Map<string, number> {
  const found = new Map<string, number>();
  for (const name of names) found.set(name, (found.get(name) ?? 0) + 1);
  return found;
}

export function tile(label: Node | string, value: Node | string): HTMLElement {
  return h("div", { class: "tile" }, h("span", { class: "tile-label" }, label), h("b", {}, value));
}
