/** What is known of a token: who wrote it and why, what it might have been, and where to go on from it. */

import { fill, h, modelTag, number, percent, visible } from "./dom";
import type { Seam, Token } from "./types";

export interface Where {
  tokens: Token[];
  seams: Seam[];
  /** The models that may go on; none where going on is not possible. */
  models: string[];
  goOn?: (index: number, model: string) => void;
}

const element = h("div", { class: "popover", hidden: true });
let pinned = false;
let back: HTMLElement | undefined;

document.body.append(element);
document.addEventListener("keydown", (e) => {
  if (e.key === "Escape" && pinned) close(true);
});
document.addEventListener("pointerdown", (e) => {
  if (pinned && !element.contains(e.target as Node)) close(false);
});
window.addEventListener("scroll", () => !pinned && hide(), { passive: true, capture: true });

/** Show it beside a token, until the pointer leaves. */
export function show(index: number | null, anchor: HTMLElement | null, where: Where): void {
  if (pinned) return;
  if (index === null || !anchor) return hide();
  fill(element, ...card(index, where));
  element.removeAttribute("role");
  element.classList.add("passing");
  place(anchor);
}

/** Show it, with buttons to go on from there, until it is closed. */
export function pin(index: number, anchor: HTMLElement, where: Where): void {
  pinned = true;
  back = anchor.closest<HTMLElement>(".flow") ?? undefined;
  const choices =
    where.goOn && where.models.length
      ? h(
          "div",
          { class: "go" },
          h("p", { class: "label" }, index === 0 ? "Begin again with" : "Go on from here with"),
          ...where.models.map((model) =>
            h("button", { type: "button", class: "choice", onclick: () => { close(true); where.goOn!(index, model); } }, modelTag(model)),
          ),
        )
      : null;
  fill(element, ...card(index, where), choices, h("button", { type: "button", class: "close", "aria-label": "Close", onclick: () => close(true) }, "×"));
  element.classList.remove("passing");
  element.setAttribute("role", "dialog");
  element.setAttribute("aria-label", `Token ${index + 1}`);
  place(anchor);
  element.querySelector<HTMLElement>("button.choice, button.close")?.focus();
}

function hide(): void {
  element.hidden = true;
}

function close(refocus: boolean): void {
  pinned = false;
  hide();
  if (refocus) back?.focus({ preventScroll: true });
}

function card(index: number, where: Where): (Node | null)[] {
  const token = where.tokens[index]!;
  const seam = where.seams.filter((s) => s.segment === token.segment).at(-1);
  const detail = seam?.detail && seam.reason !== "branch" ? ` (${seam.detail})` : "";
  const why = seam ? `${seam.reason.replace("_", "-")} from ${seam.from}${detail}` : "first in the plan";
  const fact = (name: string, value: string): Node => h("div", {}, h("dt", {}, name), h("dd", {}, value));
  return [
    h("div", { class: "pop-head" }, h("code", {}, visible(token.text)), modelTag(token.model)),
    h("p", { class: "why" }, `${why} · token ${index + 1}`),
    h(
      "dl",
      { class: "facts" },
      fact("risk", percent(token.risk)),
      fact("entropy", `${number(token.entropy_nats)} nats`),
      fact("slope", number(token.slope)),
      fact("margin", number(token.margin)),
      token.draft_acceptance === null ? fact("probability", percent(token.logprob === null ? null : Math.exp(token.logprob))) : fact("drafts", percent(token.draft_acceptance)),
    ),
    token.alternatives?.length
      ? h(
          "ol",
          { class: "others", "aria-label": "Alternatives" },
          ...token.alternatives.map((a) => {
            const share = Math.exp(a.logprob);
            const meter = h("i", { class: "bar" });
            meter.style.width = `${Math.max(1, 100 * share)}%`;
            return h("li", { class: a.text === token.text ? "taken" : "" }, h("code", {}, visible(a.text)), h("span", { class: "track" }, meter), h("b", {}, percent(share)));
          }),
        )
      : h("p", { class: "why" }, "The model tells no alternatives."),
  ];
}

function place(anchor: HTMLElement): void {
  element.hidden = false;
  const at = anchor.getClientRects()[0] ?? anchor.getBoundingClientRect();
  const { offsetWidth: width, offsetHeight: height } = element;
  const left = Math.min(Math.max(8, at.left - 16), innerWidth - width - 8);
  const below = at.bottom + 8 + height < innerHeight || at.top < height + 8;
  element.style.left = `${left}px`;
  element.style.top = `${Math.max(8, below ? at.bottom + 8 : at.top - height - 8)}px`;
}

