/** The tokens of an answer as text that can be walked through: shaded by risk, with a line at each seam. */

import { announce, h, hue, modelTag, number, percent } from "./dom";
import type { Seam, Token } from "./types";

/** Steps of the shade. Step 0 has none. */
export function shade(token: Token): number {
  if (token.risk === null) return 0;
  return token.risk < 0.02 ? 0 : token.risk < 0.1 ? 1 : token.risk < 0.25 ? 2 : token.risk < 0.5 ? 3 : token.risk < 0.8 ? 4 : 5;
}

export class Flow {
  readonly element: HTMLElement;
  private spans: HTMLSpanElement[] = [];
  private seamLines: HTMLElement[] = [];
  private active = -1;
  private end = 0;
  /** Whoever walks with the keys is not disturbed by a pointer that lies still. */
  private byKeys = false;
  private tokens: Token[] = [];
  private seams: Seam[] = [];

  /** `onPoint`: a token is hovered or walked to. `onPick`: it is clicked, or Enter is pressed on it. */
  constructor(
    label: string,
    private readonly onPoint: (index: number | null, anchor: HTMLElement | null) => void,
    private readonly onPick: (index: number, anchor: HTMLElement) => void,
  ) {
    this.element = h("div", {
      class: "flow",
      tabIndex: 0,
      role: "group",
      "aria-label": `${label}. Arrow keys walk through the tokens, Enter goes on from one.`,
      onpointerover: (e: PointerEvent) => this.pointed(e),
      onpointermove: () => (this.byKeys = false),
      onpointerleave: () => this.byKeys || this.point(null),
      onclick: (e: MouseEvent) => {
        const index = this.indexOf(e.target);
        if (index !== null) this.onPick(index, this.spans[index]!);
      },
      onkeydown: (e: KeyboardEvent) => this.pressed(e),
      onblur: () => this.point(null),
    });
  }

  /** Show the first `end` tokens. Only what has changed is touched, in one insertion. */
  show(tokens: Token[], seams: Seam[], end = tokens.length): void {
    this.tokens = tokens;
    this.seams = seams;
    if (end < this.end) this.cut(end);
    if (end > this.end) {
      const fresh = document.createDocumentFragment();
      for (let i = this.end; i < end; i++) this.append(fresh, tokens[i]!, i);
      this.element.append(fresh);
      this.end = end;
    }
    // A seam is told before its first token.
    const told = seams.filter((s) => s.position <= end).length;
    for (let i = this.seamLines.length; i < told; i++) this.element.append(this.seam(seams[i]!));
  }

  private append(into: DocumentFragment, token: Token, index: number): void {
    while (this.seamLines.length < this.seams.length && this.seams[this.seamLines.length]!.position <= index)
      into.append(this.seam(this.seams[this.seamLines.length]!));
    const span = document.createElement("span");
    const begins = this.seams.some((s) => s.position === index);
    span.className = `t r${shade(token)} u${hue(token.model)}${begins && token.text.startsWith(" ") ? " begins" : ""}`;
    span.dataset.i = String(index);
    span.textContent = token.text;
    this.spans.push(span);
    into.append(span);
  }

  private cut(end: number): void {
    for (const span of this.spans.splice(end)) span.remove();
    while (this.seamLines.length && this.seams[this.seamLines.length - 1]!.position > end) this.seamLines.pop()!.remove();
    this.end = end;
    if (this.active >= end) this.active = -1;
  }

  private seam(seam: Seam): HTMLElement {
    const facts = [
      seam.reason.replace("_", "-"),
      seam.detail && !seam.detail.startsWith("from token") ? seam.detail : "",
      seam.rollback_tokens ? `${seam.rollback_tokens} rolled back` : "",
      seam.kv_mode ? `KV ${seam.kv_mode.replace("_", " ")}` : "",
      seam.stall_ms === null ? "" : `${number(seam.stall_ms, seam.stall_ms < 10 ? 1 : 0)} ms`,
    ].filter(Boolean);
    const line = h(
      "div",
      { class: `seam s${hue(seam.to)}`, role: "note", "aria-label": `From ${seam.from} to ${seam.to}: ${facts.join(", ")}` },
      h("span", { class: "seam-who" }, modelTag(seam.from), h("span", { class: "arrow", "aria-hidden": "true" }, "→"), modelTag(seam.to)),
      ...facts.map((f, i) => h("span", { class: i === 0 ? "fact reason" : "fact" }, f)),
    );
    this.seamLines.push(line);
    return line;
  }

  private indexOf(target: EventTarget | null): number | null {
    const found = target instanceof HTMLElement ? target.dataset.i : undefined;
    return found === undefined ? null : Number(found);
  }

  private pointed(e: PointerEvent): void {
    if (e.pointerType === "touch" || this.byKeys) return;
    const index = this.indexOf(e.target);
    if (index !== null) this.point(index);
  }

  /** Make a token the active one. */
  point(index: number | null): void {
    this.spans[this.active]?.classList.remove("active");
    this.active = index ?? -1;
    const span = this.spans[this.active];
    span?.classList.add("active");
    this.onPoint(span ? index : null, span ?? null);
  }

  /** Show which token the chart is pointed at. */
  mark(index: number | null): void {
    this.spans[this.active]?.classList.remove("active");
    this.active = index ?? -1;
    this.spans[this.active]?.classList.add("active");
  }

  private pressed(e: KeyboardEvent): void {
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: 8, ArrowUp: -8 }[e.key];
    if (step) this.walk(Math.min(this.end - 1, Math.max(0, this.active + step)));
    else if (e.key === "Home") this.walk(0);
    else if (e.key === "End") this.walk(this.end - 1);
    else if (e.key === "Escape") this.point(null);
    else if ((e.key === "Enter" || e.key === " ") && this.active >= 0) this.onPick(this.active, this.spans[this.active]!);
    else return;
    e.preventDefault();
  }

  private walk(index: number): void {
    const token = this.tokens[index];
    if (!token || index < 0) return;
    this.byKeys = true;
    this.point(index);
    this.spans[index]!.scrollIntoView({ block: "nearest" });
    const others = (token.alternatives ?? []).filter((a) => a.text !== token.text).slice(0, 2);
    announce(
      `Token ${index + 1}: ${token.text.trim() || "space"}, by ${token.model}, risk ${percent(token.risk)}, ` +
        `entropy ${number(token.entropy_nats)}. ` +
        (others.length ? `Instead of: ${others.map((a) => `${a.text.trim()} ${percent(Math.exp(a.logprob))}`).join(", ")}.` : ""),
    );
  }
}
