import "uplot/dist/uPlot.min.css";
import "./style.css";
import { key, onKeyNeeded, setKey } from "./api";
import { forgetCatalog } from "./catalog";
import { fill, h } from "./dom";
import { feed } from "./feed";
import { AskView } from "./views/ask";
import { FleetView } from "./views/fleet";
import { BudgetsView, HealthView } from "./views/health";
import { ReplayView } from "./views/replay";
import { RoutingView } from "./views/routing";

interface View {
  element: HTMLElement;
  open?: () => void | Promise<void>;
  close?: () => void;
}

const TABS = [
  ["", "Ask"],
  ["fleet", "Fleet"],
  ["routing", "Routing"],
  ["health", "Health"],
  ["budgets", "Budgets"],
] as const;

const main = document.getElementById("main")!;
let ask = new AskView();
let shown: View | undefined;

function view(path: string): View {
  const [name, id] = path.split("/");
  if (name === "fleet") return new FleetView();
  if (name === "session" && id) return new ReplayView(decodeURIComponent(id));
  if (name === "routing") return new RoutingView();
  if (name === "health") return new HealthView();
  if (name === "budgets") return new BudgetsView();
  return ask;
}

function show(): void {
  const path = location.hash.replace(/^#\/?/, "");
  shown?.close?.();
  shown = view(path);
  main.replaceChildren(shown.element);
  void shown.open?.();
  const current = path.split("/")[0] === "session" ? "fleet" : path.split("/")[0];
  for (const link of document.querySelectorAll<HTMLAnchorElement>(".tabs a")) {
    const here = link.dataset.tab === current;
    if (here) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = `${TABS.find(([t]) => t === current)?.[1] ?? "Ask"} · GhostRouter`;
  scrollTo(0, 0);
}

/** Light or dark: as the system has it, until the button is pressed. */
function theme(): HTMLElement {
  const system = matchMedia("(prefers-color-scheme: dark)");
  const chosen = (): string => localStorage.getItem("ghostrouter.theme") ?? (system.matches ? "dark" : "light");
  const apply = (): void => {
    document.documentElement.dataset.theme = chosen();
    button.textContent = chosen() === "dark" ? "☾" : "☀";
    dispatchEvent(new Event("themechange"));
  };
  const button = h("button", { type: "button", class: "icon", "aria-label": "Light or dark", onclick: () => {
    localStorage.setItem("ghostrouter.theme", chosen() === "dark" ? "light" : "dark");
    apply();
  } });
  system.addEventListener("change", apply);
  apply();
  return button;
}

/** A dialog for the API key. It resolves when there is one to try. */
function askForKey(): Promise<void> {
  return new Promise((done) => {
    const input = h("input", { type: "password", id: "key", autocomplete: "off", required: true, value: key() });
    const dialog = h(
      "dialog",
      { class: "key", "aria-labelledby": "key-title" },
      h("form", { method: "dialog", onsubmit: () => setKey(input.value.trim()) },
        h("h2", { id: "key-title" }, "Your API key"),
        h("p", { class: "quiet" }, "This service has keys. Yours stays in this tab; you see your own sessions only."),
        h("label", { htmlFor: "key" }, "Key"), input,
        h("button", { type: "submit", class: "primary" }, "Go on"),
      ),
    );
    dialog.addEventListener("cancel", (e) => e.preventDefault());
    dialog.addEventListener("close", () => { dialog.remove(); done(); });
    document.body.append(dialog);
    dialog.showModal();
    input.focus();
  });
}

function top(): void {
  const state = h("span", { class: "link", role: "status" });
  const who = h("button", { type: "button", class: "who-am-i", hidden: true, onclick: async () => {
    setKey("");
    await askForKey();
    forgetCatalog();
    ask = new AskView();
    feed.restart();
    show();
  } });
  const ghost = h("img", { src: "./ghost.svg", alt: "", width: 26, height: 26 });
  fill(
    document.getElementById("top")!,
    h("a", { class: "brand", href: "#/" }, ghost, h("span", {}, "GhostRouter")),
    h("nav", { class: "tabs", "aria-label": "Views" }, ...TABS.map(([tab, name]) => h("a", { href: `#/${tab}`, "data-tab": tab }, name))),
    h("div", { class: "top-end" }, state, who, theme()),
  );
  const render = (): void => {
    state.className = feed.connected ? "link on" : "link off";
    const words = feed.connected ? "live" : "connecting…";
    if (state.textContent !== words) state.textContent = words;
    who.hidden = !key();
    who.textContent = feed.caller?.key ?? "key";
    who.setAttribute("aria-label", `Key ${feed.caller?.key ?? ""}: change it`);
  };
  render();
  feed.listen(render);
}

onKeyNeeded(askForKey);
top();
addEventListener("hashchange", show);
show();
void feed.run();
if (shown === ask) ask.focus();
