// Shared by all canvases: sharp pixels, one drawing per frame, a size that follows the box.

/** Calls `draw(context, width, height)` in CSS pixels, at most once per frame, after `redraw()`. */
export class Sheet {
  constructor(canvas, draw) {
    this.canvas = canvas;
    this.draw = draw;
    this.context = canvas.getContext("2d", { alpha: false });
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

/** Returns a pointer's place in an element, in CSS pixels. */
export function place(event, element) {
  const box = element.getBoundingClientRect();
  return [event.clientX - box.left, event.clientY - box.top];
}

export const clamp = (value, low, high) => Math.max(low, Math.min(high, value));
