/** The written text: many small additions, one change of the page per frame. */

// A very long text in one block would be laid out again at each addition.
const BLOCK = 4000;

export class Paper {
  /** @param {HTMLElement} box scrolls by itself */
  constructor(box) {
    this.box = box;
    this.follows = true;
    this.waiting = "";
    this.frame = 0;
    // It follows the end of the text until the user scrolls away from it.
    box.addEventListener("scroll", () => {
      this.follows = box.scrollHeight - box.scrollTop - box.clientHeight < 32;
    });
  }

  /** Start again, with the prompt. */
  begin(prompt) {
    this.finish();
    this.box.replaceChildren();
    this.startBlock();
    this.append(prompt, (text) => {
      const span = document.createElement("span");
      span.className = "prompt";
      span.textContent = text;
      return span;
    });
    this.follows = true;
  }

  /** Add text, which appears at the next frame. */
  add(text) {
    this.waiting += text;
    this.frame ||= requestAnimationFrame(() => this.finish());
  }

  /** Show all added text now; a page in the background has no frames. */
  finish() {
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    if (!this.waiting) return;
    this.append(this.waiting);
    this.waiting = "";
    if (this.follows) this.box.scrollTop = this.box.scrollHeight;
  }

  append(text, element = (piece) => piece) {
    for (let start = 0, end; start < text.length; start = end) {
      // A block may end only after a newline, where the break cannot be seen.
      const full = start + Math.max(0, BLOCK - this.size);
      end = text.indexOf("\n", full) + 1 || text.length;
      this.block.append(element(text.slice(start, end)));
      this.size += end - start;
      if (this.size > BLOCK && text[end - 1] === "\n") this.startBlock();
    }
  }

  startBlock() {
    this.block = document.createElement("div");
    this.block.className = "block";
    this.box.append(this.block);
    this.size = 0;
  }
}
