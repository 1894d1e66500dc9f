/** Ask, and watch the answer being written. */

import { post } from "../api";
import { Answer } from "../answer";
import { catalog, knownCatalog } from "../catalog";
import { announce, fill, h } from "../dom";
import { Lane } from "../lane";
import { CostView, planTable } from "../plan";
import type { Preview } from "../types";

interface Turn {
  question: string;
  answers: Answer[];
}

const EXAMPLES = [
  "Who was Xenia Farrow? Give teacher, home, work, birth, trade.",
  "Otto has 74 coins, times 6, times 2, loses 103. How many coins does Otto have?",
];

/** Made once: a conversation stays when another view is looked at. */
export class AskView {
  readonly element: HTMLElement;
  private readonly turns: Turn[] = [];
  private readonly thread = h("div", { class: "thread" });
  private readonly side = h("aside", { class: "side", "aria-label": "Plan, cost and feedback" });
  private readonly input = h("textarea", { id: "question", rows: 2, placeholder: "Ask something…", required: true });
  private readonly model = h("select", { id: "model" });
  private readonly length = h("select", { id: "length" });

  constructor() {
    for (const n of [64, 128, 256, 512, 1024]) this.length.append(h("option", { value: n, selected: n === 256 }, `${n} tokens`));
    this.model.append(h("option", { value: "ghost/auto" }, "ghost/auto"));
    this.input.addEventListener("keydown", (e) => {
      if (e.key === "Enter" && !e.shiftKey && !e.isComposing) {
        e.preventDefault();
        form.requestSubmit();
      }
    });
    const form = h(
      "form",
      { class: "composer", onsubmit: (e: Event) => { e.preventDefault(); this.ask(this.input.value); } },
      h("label", { class: "unseen", htmlFor: "question" }, "Your question"),
      this.input,
      h(
        "div",
        { class: "composer-row" },
        h("label", { htmlFor: "model" }, "Model"), this.model,
        h("label", { htmlFor: "length" }, "at most"), this.length,
        h("button", { type: "submit", class: "primary" }, "Ask"),
      ),
    );
    this.element = h("div", { class: "ask" }, h("section", { class: "stage", "aria-label": "Conversation" }, this.thread, form), this.side);
    this.empty();
    catalog().then((table) => {
      fill(this.model, ...[...table.names, ...table.models.map((m) => m.model)].map((n) => h("option", { value: n, selected: n === "ghost/auto" }, n)));
    }, () => {});
  }

  focus(): void {
    this.input.focus({ preventScroll: true });
  }

  private empty(): void {
    fill(
      this.thread,
      h(
        "div",
        { class: "welcome" },
        h("h1", {}, "Watch it think."),
        h("p", {}, "Each token is shaded by the risk that the answer goes wrong. When the risk is worth it, another model goes on."),
        h("div", { class: "examples" }, ...EXAMPLES.map((q) => h("button", { type: "button", onclick: () => this.ask(q) }, q))),
      ),
    );
    fill(this.side, h("p", { class: "quiet" }, "Here you see which models were considered, what each term of their score is, and what the answer costs."));
  }

  private async ask(question: string): Promise<void> {
    question = question.trim();
    if (!question) return;
    this.input.value = "";
    if (!this.turns.length) this.thread.replaceChildren();
    const messages = [
      ...this.turns.flatMap((t) => [
        { role: "user", content: t.question },
        { role: "assistant", content: t.answers.at(-1)?.text ?? "" },
      ]),
      { role: "user", content: question },
    ];
    const turn: Turn = { question, answers: [] };
    this.turns.push(turn);
    const lanes = h("div", { class: "lanes" });
    const box = h("section", { class: "turn", "aria-label": question }, h("h2", { class: "question" }, question), lanes);
    this.thread.append(box);
    const body = { model: this.model.value, messages, stream: true, max_tokens: Number(this.length.value), ghost: { signals: true } };
    const answer = new Answer("Answer");
    this.add(turn, lanes, answer, messages);
    box.scrollIntoView({ block: "start", behavior: "smooth" });
    announce("Asked.");
    await answer.run("v1/chat/completions", body);
  }

  private add(turn: Turn, lanes: HTMLElement, answer: Answer, messages: unknown[]): void {
    turn.answers.push(answer);
    let preview: Preview | undefined;
    const models = (): string[] => knownCatalog().models.map((m) => m.model);
    const cost = new CostView(() => knownCatalog().models, () => preview);
    const planBox = h("div", {}, h("p", { class: "quiet" }, "Deciding…"));
    const lane = new Lane(
      answer,
      models,
      (from, at, model) => {
        const branch = new Answer(at === 0 ? `Again, by ${model}` : `From token ${at + 1}, by ${model}`);
        this.add(turn, lanes, branch, messages);
        branch.run(`v1/sessions/${from.id}/branch`, { at, model, max_tokens: Number(this.length.value) });
      },
      (a) => cost.show(a),
    );
    lane.element.append(feedback(answer));
    lanes.append(lane.element);
    lanes.dataset.count = String(turn.answers.length);
    lane.element.scrollIntoView({ block: "nearest", behavior: "smooth" });
    const sideBox = h("div", {}, h("h2", {}, "Plan"), planBox, h("h2", {}, "Cost so far"), cost.element);
    const select = (): void => {
      fill(this.side, sideBox);
      for (const other of this.thread.querySelectorAll(".lane")) other.classList.toggle("chosen", other === lane.element);
    };
    lane.element.addEventListener("focusin", select);
    lane.element.addEventListener("pointerdown", select);
    if (turn.answers.length === 1) select();
    const model = answer.title === "Answer" ? this.model.value : undefined;
    post<Preview>("v1/route", { model: model ?? "ghost/auto", messages, max_tokens: Number(this.length.value) }).then(
      (p) => {
        preview = p;
        fill(planBox, planTable(p));
        cost.show(answer);
      },
      (e) => fill(planBox, h("p", { class: "error" }, e.message)),
    );
  }
}

/** Two buttons that rate an answer, once it is over. */
export function feedback(answer: { id: string }): HTMLElement {
  const said = h("span", { class: "quiet", role: "status" });
  const rate = async (rating: number, button: HTMLButtonElement): Promise<void> => {
    try {
      await post("v1/feedback", { session: answer.id, rating });
      for (const other of box.querySelectorAll("button")) other.setAttribute("aria-pressed", String(other === button));
      said.textContent = "Thank you. It is kept beside the trace.";
    } catch (e) {
      said.textContent = (e as Error).message;
    }
  };
  const button = (label: string, rating: number, mark: string): HTMLButtonElement => {
    const made: HTMLButtonElement = h("button", { type: "button", class: "rate", "aria-pressed": "false", "aria-label": label, title: label, onclick: () => rate(rating, made) }, mark);
    return made;
  };
  const box = h("div", { class: "feedback" }, button("Good answer", 1, "Good"), button("Bad answer", -1, "Bad"), said);
  return box;
}
