// @ts-check
// Shared by all canvases: sharp pixels, one drawing per frame, a size that follows the box.

/** @typedef {(context: CanvasRenderingContext2D, width: number, height: number) => void} Draw */

/**
 * @param {HTMLCanvasElement} canvas
 * @param {boolean} alpha whether what lies below shines through
 */
export function context2d(canvas, alpha = false) {
  const context = canvas.getContext("2d", { alpha });
  if (!context) throw new Error("This browser draws on no canvas.");
  return context;
}

/** Calls `draw(context, width, height)` in CSS pixels, at most once per frame, after `redraw()`. */
export class Sheet {
  /** @param {HTMLCanvasElement} canvas  @param {Draw} draw */
  constructor(canvas, draw) {
    this.canvas = canvas;
    this.draw = draw;
    this.context = context2d(canvas);
    this.waiting = 0;
    this.observer = new ResizeObserver(() => this.redraw());
    this.observer.observe(canvas);
  }

  redraw() {
    this.waiting ||= requestAnimationFrame(() => {
      this.waiting = 0;
      this.now();
    });
  }

  now() {
    const { width, height } = this.canvas.getBoundingClientRect();
    if (!width || !height) return;
    const scale = Math.min(2, devicePixelRatio || 1);
    const [w, h] = [Math.round(width * scale), Math.round(height * scale)];
    if (this.canvas.width !== w || this.canvas.height !== h) {
      this.canvas.width = w;
      this.canvas.height = h;
    }
    this.context.setTransform(scale, 0, 0, scale, 0, 0);
    this.draw(this.context, width, height);
  }

  end() {
    cancelAnimationFrame(this.waiting);
    this.observer.disconnect();
  }
}

/**
 * Returns a pointer's place in an element, in CSS pixels.
 * @param {MouseEvent} event
 * @param {Element} element
 */
export function place(event, element) {
  const box = element.getBoundingClientRect();
  return [event.clientX - box.left, event.clientY - box.top];
}

/** @param {number} value  @param {number} low  @param {number} high */
export const clamp = (value, low, high) => Math.max(low, Math.min(high, value));
