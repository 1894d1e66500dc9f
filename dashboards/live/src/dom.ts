/** Elements without a framework. Text is always set as text, never as HTML. */

type Child = Node | string | number | null | undefined | false;
type Props = Record<string, unknown>;

/** An element. `class`, `data-*` and `aria-*` are attributes, `onclick` and the like are listeners. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  props: Props = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value as EventListener);
    else if (name in element && !name.includes("-") && name !== "list") (element as Props)[name] = value;
    else if (name === "class") element.className = String(value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...kept(children));
  return element;
}

function kept(children: Child[]): (Node | string)[] {
  return children
    .filter((c): c is Node | string | number => c !== null && c !== undefined && c !== false)
    .map((c) => (typeof c === "number" ? String(c) : c));
}

/** Replace the children of an element. */
export function fill(element: Element, ...children: Child[]): void {
  element.replaceChildren(...kept(children));
}

/** Runs work at most once per animation frame, however often it is asked for. In a hidden page a timer stands in. */
export function perFrame(work: () => void): () => void {
  let waiting = false;
  return () => {
    if (waiting) return;
    waiting = true;
    const run = (): void => {
      waiting = false;
      work();
    };
    if (document.hidden) setTimeout(run, 200);
    else requestAnimationFrame(run);
  };
}

/** Runs work at most once in `ms`, the last time after the last call. */
export function perWhile(ms: number, work: () => void): () => void {
  let timer = 0;
  return () => {
    timer ||= setTimeout(() => {
      timer = 0;
      work();
    }, ms) as unknown as number;
  };
}

/** Tell a screen reader. */
export function announce(words: string): void {
  const place = document.getElementById("announcer");
  if (place) place.textContent = words;
}

const known = new Map<string, number>();

/** The colour of a model: the same on the whole page. There are six; the seventh model has that of the first. */
export function hue(model: string): number {
  let found = known.get(model);
  if (found === undefined) known.set(model, (found = known.size % 6));
  return found;
}

/** A model's name with its colour. */
export function modelTag(model: string): HTMLElement {
  return h("span", { class: `model m${hue(model)}` }, model);
}

export const number = (value: number | null | undefined, digits = 2): string =>
  value === null || value === undefined ? "–" : value.toFixed(digits);
export const percent = (value: number | null | undefined): string =>
  value === null || value === undefined ? "–" : value >= 0.0995 || value === 0 ? `${(100 * value).toFixed(0)}%` : value < 0.0005 ? "<0.1%" : `${(100 * value).toFixed(1)}%`;
export const usd = (value: number | null | undefined): string =>
  value === null || value === undefined
    ? "–"
    : value < 0
      ? `−${usd(-value)}`
      : value === 0
        ? "$0"
        : value < 0.01
          ? `$${Number(value.toPrecision(2))}`
          : `$${value.toFixed(2)}`;
/** White space, as something that can be seen. */
export const visible = (text: string): string => text.replace(/\n/g, "⏎").replace(/ /g, "␣").replace(/\t/g, "⇥") || "∅";
