/** Entropy and slope under the tokens, with the seams as lines. */

import uPlot from "uplot";
import { hue, number } from "./dom";
import type { Seam, Token } from "./types";

const HEIGHT = 132;

export class SignalChart {
  private plot: uPlot | undefined;
  private xs: number[] = [];
  private entropy: (number | null)[] = [];
  private slope: (number | null)[] = [];
  private seams: Seam[] = [];
  private shown = 0;
  private readonly watch = new ResizeObserver(() => this.resize());
  private readonly repaint = (): void => this.plot?.redraw(false);

  /** `onHover` gets the token under the pointer. */
  constructor(
    private readonly place: HTMLElement,
    private readonly onHover: (index: number | null) => void,
  ) {
    this.watch.observe(place);
    addEventListener("themechange", this.repaint);
  }

  /** Show these tokens, and nothing of them from `end` on. */
  show(tokens: Token[], seams: Seam[], end = tokens.length): void {
    if (end < this.xs.length || (this.xs.length && tokens.length < this.xs.length)) {
      this.xs = this.xs.slice(0, end);
      this.entropy = this.entropy.slice(0, end);
      this.slope = this.slope.slice(0, end);
    }
    for (let i = this.xs.length; i < end; i++) {
      this.xs.push(i);
      this.entropy.push(tokens[i]!.entropy_nats);
      this.slope.push(tokens[i]!.slope);
    }
    this.seams = seams.filter((s) => s.position < end || s.position === 0);
    if (!this.plot) this.plot = this.make();
    this.shown = Math.max(24, tokens.length);
    this.plot.setData([this.xs, this.entropy, this.slope], true);
  }

  /** Put the cursor on a token. */
  point(index: number | null): void {
    if (!this.plot) return;
    const left = index === null ? -10 : this.plot.valToPos(index, "x");
    this.plot.setCursor({ left, top: index === null ? -10 : 10 }, false);
  }

  destroy(): void {
    this.watch.disconnect();
    removeEventListener("themechange", this.repaint);
    this.plot?.destroy();
  }

  private resize(): void {
    if (this.plot) this.plot.setSize({ width: Math.max(120, this.place.clientWidth), height: HEIGHT });
  }

  private colour(name: string): string {
    return getComputedStyle(this.place).getPropertyValue(name).trim();
  }

  private make(): uPlot {
    const axis = (more: object): object => ({
      stroke: () => this.colour("--quiet"),
      grid: { stroke: () => this.colour("--hair"), width: 1 },
      ticks: { show: false },
      font: "11px Inter, system-ui, sans-serif",
      ...more,
    });
    const options: uPlot.Options = {
      width: Math.max(120, this.place.clientWidth),
      height: HEIGHT,
      legend: { show: false },
      cursor: { y: false, points: { size: 6 }, drag: { x: false, y: false } },
      padding: [10, 6, 0, 0],
      scales: {
        x: { time: false, range: () => [0, this.shown] },
        y: { range: (_u, _min, max) => [0, Math.max(0.5, (max ?? 0) * 1.1)] },
        slope: { range: (_u, min, max) => { const m = Math.max(0.1, Math.abs(min ?? 0), Math.abs(max ?? 0)) * 1.2; return [-m, m]; } },
      },
      series: [
        {},
        {
          label: "entropy",
          stroke: () => this.colour("--accent"),
          fill: () => this.colour("--accent-wash"),
          width: 1.5,
          points: { show: false },
        },
        {
          label: "slope",
          scale: "slope",
          stroke: () => this.colour("--slope"),
          width: 1,
          dash: [4, 3],
          points: { show: false },
        },
      ],
      axes: [
        axis({ size: 22, values: (_: uPlot, ticks: number[]) => ticks.map((t) => (Number.isInteger(t) ? t : "")) }),
        axis({ size: 34, space: 40, values: (_: uPlot, ticks: number[]) => ticks.map((t) => number(t, 1)) }),
      ] as uPlot.Axis[],
      hooks: {
        draw: [(u) => this.drawSeams(u)],
        setCursor: [(u) => this.onHover(u.cursor.left! < 0 ? null : (u.cursor.idx ?? null))],
      },
    };
    return new uPlot(options, [[], [], []], this.place);
  }

  private drawSeams(u: uPlot): void {
    const { ctx, bbox } = u;
    ctx.save();
    for (const seam of this.seams) {
      const x = Math.round(u.valToPos(seam.position - 0.5, "x", true));
      ctx.strokeStyle = ctx.fillStyle = this.colour(`--m${hue(seam.to)}`);
      ctx.lineWidth = 2 * devicePixelRatio;
      ctx.setLineDash([]);
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
    }
    ctx.restore();
  }
}
