// The drawing area: pointer, touch and keys; and the drawing as the 8 x 8 picture that the network was trained on.

const SIZE = 8;        // of the picture, in pixels
const FINE = 4;        // each of them counts 4 x 4 finer ones, as the data set was made: 0 to 16 of them are ink
const BRIGHTEST = 255 / 256;

export class Ink {
  constructor(canvas, changed) {
    this.canvas = canvas;
    this.pen = canvas.getContext("2d", { willReadFrequently: true });
    this.changed = changed;
    this.last = null;
    this.cursor = { x: 0.5, y: 0.2 };
    this.width = canvas.width / 7;  // as thick as in the data set
    canvas.addEventListener("pointerdown", event => { canvas.setPointerCapture?.(event.pointerId); this.moveTo(this.place(event)); });
    canvas.addEventListener("pointermove", event => { if (this.last) this.lineTo(this.place(event)); });
    for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => this.lift());
    canvas.addEventListener("keydown", event => this.key(event));
    this.clear();
  }

  place(event) {
    const box = this.canvas.getBoundingClientRect();
    return { x: (event.clientX - box.left) / box.width, y: (event.clientY - box.top) / box.height };
  }

  moveTo(place) { this.last = place; this.lineTo(place); }

  lineTo({ x, y }) {
    const { width, height } = this.canvas, pen = this.pen;
    pen.lineWidth = this.width;
    pen.lineCap = pen.lineJoin = "round";
    pen.strokeStyle = getComputedStyle(this.canvas).color;
    pen.beginPath();
    pen.moveTo(this.last.x * width, this.last.y * height);
    pen.lineTo(x * width, y * height);
    pen.stroke();
    this.last = { x, y };
  }

  lift() {
    if (!this.last) return;
    this.last = null;
    this.changed();
  }

  key(event) {
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (step) {
      const inside = value => Math.min(0.95, Math.max(0.05, value));
      this.cursor = { x: inside(this.cursor.x + step[0] / 16), y: inside(this.cursor.y + step[1] / 16) };
      if (this.down) this.lineTo(this.cursor);
    } else if (event.key === " ") {
      this.down = !this.down;
      if (this.down) this.moveTo(this.cursor); else this.lift();
    } else if (event.key === "Enter") {
      this.down = false;
      this.last = null;
      this.changed();
    } else if (event.key === "Delete" || event.key === "Backspace") {
      this.clear();
      this.changed();
    } else return;
    event.preventDefault();
  }

  clear() {
    this.pen.clearRect(0, 0, this.canvas.width, this.canvas.height);
    this.down = false;
    this.last = null;
  }

  /** Lines between points of 0..1. */
  draw(strokes) {
    this.clear();
    for (const [first, ...more] of strokes) {
      this.moveTo({ x: first[0], y: first[1] });
      for (const [x, y] of more) this.lineTo({ x, y });
    }
    this.lift();
  }

  /** The drawing as `[8 * 8]` numbers of 0..1, as high as the picture and in its middle; null if nothing is drawn. */
  picture() {
    const { width, height } = this.canvas;
    const inked = this.pen.getImageData(0, 0, width, height).data;
    let left = width, right = -1, top = height, bottom = -1;
    for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) {
      if (inked[4 * (y * width + x) + 3] < 128) continue;
      left = Math.min(left, x); right = Math.max(right, x);
      top = Math.min(top, y); bottom = Math.max(bottom, y);
    }
    if (right < 0) return null;
    const fine = SIZE * FINE;
    const scale = Math.max((bottom - top + 1) / fine, (right - left + 1) / fine);
    const x0 = (left + right + 1) / 2 - scale * fine / 2, y0 = (top + bottom + 1) / 2 - scale * fine / 2;
    const picture = new Float32Array(SIZE * SIZE);
    for (let y = 0; y < fine; y++) for (let x = 0; x < fine; x++) {
      const from = [Math.floor(x0 + (x + 0.5) * scale), Math.floor(y0 + (y + 0.5) * scale)];
      if (from[0] < 0 || from[1] < 0 || from[0] >= width || from[1] >= height) continue;
      if (inked[4 * (from[1] * width + from[0]) + 3] >= 128) picture[Math.floor(y / FINE) * SIZE + Math.floor(x / FINE)] += 1;
    }
    return picture.map(count => Math.min(count / (FINE * FINE), BRIGHTEST));
  }
}
