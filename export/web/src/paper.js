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
    const before = document.createElement("span");
    before.className = "prompt";
    before.textContent = prompt;
    this.block = newBlock();
    this.block.append(before);
    this.size = prompt.length;
    this.box.replaceChildren(this.block);
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
    // A block may end only after a newline, where the break cannot be seen.
    for (const line of this.waiting.split(/(?<=\n)/)) {
      this.block.append(line);
      this.size += line.length;
      if (this.size > BLOCK && line.endsWith("\n")) {
        this.block = newBlock();
        this.box.append(this.block);
        this.size = 0;
      }
    }
    this.waiting = "";
    if (this.follows) this.box.scrollTop = this.box.scrollHeight;
  }
}

function newBlock() {
  const block = document.createElement("div");
  block.className = "block";
  return block;
}
